/** Decoders whose attention is our own where nobody else sees its keys and values, and ONNX Runtime's where somebody does. */
import { describe, expect, test } from 'vitest'
import { loadSession } from '../../../src/backend/onnx/load-session.ts'
import { OnnxBackend } from '../../../src/backend/onnx/onnx-backend.ts'
import { attentionDecoder, DECODERS, type DecoderKind, VOCABULARY } from '../../support/attention-decoder.ts'
import { graphFile } from '../../support/graph-file.ts'
import { runtimeOf, WAYS, type Way } from '../../support/kernel-ways.ts'
import { emptyConfig, noTokenizer } from '../../support/open-onnx.ts'

/** In no way a multiple of a block. */
const CONTEXT = 301
const config = { ...emptyConfig, vocabSize: VOCABULARY, contextLength: CONTEXT, headDim: 32, kvHeads: 2 }
const ids = Int32Array.from({ length: CONTEXT }, (_, i) => (i * 37) % VOCABULARY)

const CUTS = [
  [296, ...Array(5).fill(1)],
  [255, 46],
  [17, 284],
]
const LONG_CUTS = [Array(CONTEXT).fill(1), [250, ...Array(51).fill(1)]]

interface Opened {
  readonly attentions: number
  /** The logits after each run of so many ids. */
  run(chunks: readonly number[]): Promise<Float32Array[]>
  dispose(): Promise<void>
}

async function openDecoder(
  way: Way,
  kind: DecoderKind,
  { precise = false, threads = 1 } = {},
): Promise<Opened> {
  const path = graphFile(attentionDecoder(kind))
  const options = { threads, spinning: false, precise, isa: way.isa }
  const loaded = await loadSession(runtimeOf(way), path, config, options)
  const backend = new OnnxBackend(loaded, noTokenizer, config)
  return {
    attentions: loaded.operators?.attentions.length ?? 0,
    async run(chunks) {
      const cache = backend.createCache()
      const rows: Float32Array[] = []
      let done = 0
      for (const count of chunks) {
        rows.push(Float32Array.from((await backend.forward(ids.subarray(done, done + count), cache)).row))
        done += count
      }
      cache.dispose()
      return rows
    },
    dispose: () => backend.dispose(),
  }
}

describe.each(WAYS)('$name', (way) => {
  test.each(Object.entries(DECODERS))('%s: %s', async (name, _) => {
    const kind = name as DecoderKind
    const [own, precise] = [await openDecoder(way, kind), await openDecoder(way, kind, { precise: true })]
    const chunks = [1, 3, 1, 40, 1]
    const [found, expected] = [await own.run(chunks), await precise.run(chunks)]
    expect(own.attentions).toBe(['plain', 'shapeless', 'headed'].includes(kind) ? 1 : 0)
    expect(precise.attentions).toBe(0)
    for (const [i, row] of found.entries()) {
      const apart = row.map((number, j) => Math.abs(number - expected[i]![j]!))
      expect(Math.max(...apart)).toBeLessThan(1e-5)
    }
    await own.dispose()
    await precise.dispose()
  })

  test('a cache that grows to a context of no whole blocks holds what it held', async () => {
    const [own, threaded] = [await openDecoder(way, 'plain'), await openDecoder(way, 'plain', { threads: 2 })]
    const [whole] = await own.run([CONTEXT])
    const cuts = way.isNative ? [...CUTS, ...LONG_CUTS] : CUTS
    for (const chunks of cuts) {
      expect((await threaded.run(chunks)).at(-1)).toEqual(whole)
    }
    await own.dispose()
    await threaded.dispose()
  })
})
