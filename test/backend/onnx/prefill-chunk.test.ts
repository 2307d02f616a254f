/** Texts that are long enough for the second rope table, however they come in: no key is left of the first. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { LoadedSession } from '../../../src/backend/onnx/load-session.ts'
import { OnnxBackend } from '../../../src/backend/onnx/onnx-backend.ts'
import { prefill } from '../../../src/generation/prefill.ts'
import type { Session, Tensor } from '../../../src/onnx-runtime/runtime.ts'
import { emptyConfig, noTokenizer } from '../../support/open-onnx.ts'

interface Run {
  readonly held: number
  readonly count: number
}

/** A backend that computes nothing; `runs` are told what was fed. */
function countingBackend(ropeSwitch: number, runs: Run[]): OnnxBackend {
  const tensor = (dims: readonly number[]): Tensor => {
    const data = new Float32Array(dims.reduce((a, b) => a * b, 1))
    return { type: 'float32', dims, data, dispose: () => undefined }
  }
  const bound: Record<string, readonly number[]> = {}
  const session = {
    writesInPlace: true,
    allocate: (_: string, dims: readonly number[]) => tensor(dims),
    wrap: (_: string, dims: readonly number[]) => tensor(dims),
    read: ({ data }: Tensor) => data,
    write: () => undefined,
    bindData: (name: string, _: string, __: unknown, dims: readonly number[]) => {
      bound[name] = [...dims]
    },
    bindInput: () => undefined,
    bindOutput: () => undefined,
    async run() {
      const count = bound.input_ids![1]!
      runs.push({ held: bound.attention_mask![1]! - count, count })
    },
    takeOutput: () => tensor([1, 1, 4]),
  } as unknown as Session
  const slot = { kind: 'rows', past: 'p', present: 'q', type: 'float32', dims: [1, 1, 0, 1], axis: 2 }
  const plan = { ropeSwitch, contextLength: 10_000, chunking: 'any', exactSplits: true, vocabSize: 4 }
  const more = { slots: [{ ...slot, inPlace: true }], positionRows: 0, hasAttentionMask: true }
  const loaded = { session, plan: { ...plan, ...more, logitsType: 'float32', logitsRank: 3 } }
  return new OnnxBackend(loaded as unknown as LoadedSession, noTokenizer, emptyConfig)
}

const size = fc.integer({ min: 1, max: 400 })

test('the first run of a text for the second rope table is long enough for it', async () => {
  const property = fc.asyncProperty(
    size,
    fc.array(size, { minLength: 1, maxLength: 4 }),
    async (at, sizes) => {
      const runs: Run[] = []
      const backend = countingBackend(at, runs)
      const cache = backend.createCache()
      for (const length of sizes) await prefill(backend, { ids: new Int32Array(length), cache })
      const start = runs.findLastIndex(({ held }) => held === 0)
      if (cache.length > at) expect(runs[start]!.count).toBeGreaterThan(at)
      expect(runs.slice(start).reduce((sum, { count }) => sum + count, 0)).toBe(cache.length)
    },
  )
  await fc.assert(property, { numRuns: 300, examples: [[192, [193]]] })
})

test('a prompt of any length beyond the switch is run once, but for those whose last row would be alone', async () => {
  for (let length = 193; length < 230; length++) {
    const runs: Run[] = []
    const backend = countingBackend(191, runs)
    await prefill(backend, { ids: new Int32Array(length), cache: backend.createCache() })
    const total = runs.reduce((sum, { count }) => sum + count, 0)
    expect([length, total]).toEqual([length, length === 193 ? 2 * length - 2 : length])
  }
})
