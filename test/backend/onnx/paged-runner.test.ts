/** Rows of many texts in one run: to the last bit what they are alone, whatever is shared, forgotten, refused or evicted. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Part, Runner } from '../../../src/backend/backend.ts'
import { type KvSequence, PAGE } from '../../../src/backend/kv.ts'
import { loadSession, type OpenedModel } from '../../../src/backend/onnx/load-session.ts'
import { OnnxBackend } from '../../../src/backend/onnx/onnx-backend.ts'
import type { PagedPool } from '../../../src/backend/onnx/pages/paged-pool.ts'
import { proveRows } from '../../../src/backend/onnx/prepared/prove-rows.ts'
import { loadModelConfig } from '../../../src/model/model-config.ts'
import type { ModelConfig } from '../../../src/model/resolved-model.ts'
import { attentionDecoder, VOCABULARY } from '../../support/attention-decoder.ts'
import { graphFile } from '../../support/graph-file.ts'
import { runtimeOf, WAYS, type Way } from '../../support/kernel-ways.ts'
import { TINY_MODEL } from '../../support/models.ts'
import { emptyConfig, noTokenizer } from '../../support/open-onnx.ts'

/** For a long search: SPOUT_TEST_RUNS=500. */
const RUNS = Number(process.env.SPOUT_TEST_RUNS ?? 12)

interface Opened {
  readonly loaded: OpenedModel
  readonly runner: Runner
}

async function open(way: Way, path: string, config: ModelConfig, threads = 1): Promise<Opened> {
  const options = { threads, spinning: false, isa: way.isa }
  const loaded = await loadSession(runtimeOf(way), path, config, options)
  return { loaded, runner: new OnnxBackend(loaded, noTokenizer, config).runner }
}

const openTiny = (way: Way, threads?: number): Promise<Opened> =>
  open(way, `${TINY_MODEL.folder}/onnx/model_q4.onnx`, loadModelConfig(TINY_MODEL.folder), threads)

const headed = { ...emptyConfig, vocabSize: VOCABULARY, contextLength: 301, headDim: 32, kvHeads: 2 }
/** Its head is a matmul of ONNX Runtime. */
const openHeaded = (way: Way): Promise<Opened> => open(way, graphFile(attentionDecoder('headed')), headed)

function idsOf(count: number, seed: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => 3 + ((i * i * 7 + i * seed + seed) % 120))
}

/** Logits of the last `wanted` ids of each part. */
async function rowsOf(
  runner: Runner,
  parts: readonly Part[],
  signal?: AbortSignal,
): Promise<Float32Array[][]> {
  const rows = await runner.run(parts, signal)
  let at = 0
  return parts.map(({ wanted }) => Array.from({ length: wanted }, () => rows.row(at++).slice()))
}

const part = (sequence: KvSequence, ids: Int32Array, wanted = 1): Part => ({ sequence, ids, wanted })

const bitsOf = (rows: readonly Float32Array[]): string =>
  rows.map((row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('base64')).join()

/** What the last row of a text is when nothing was ever there beside it. */
async function alone(runner: Runner, text: Int32Array, wanted = 1): Promise<Float32Array[]> {
  const sequence = runner.pool.open()
  try {
    return (await rowsOf(runner, [part(sequence, text, wanted)]))[0]!
  } finally {
    sequence.dispose()
  }
}

const native = WAYS.filter(({ isNative }) => isNative)

describe.each(WAYS)('$name', (way) => {
  let tiny: Opened
  let pool: PagedPool
  beforeAll(async () => {
    tiny = await openTiny(way)
    pool = tiny.runner.pool as PagedPool
    pool.pages.isPoisoned = true
  })
  afterAll(async () => {
    expect(pool.pages.used).toBe(0)
    await tiny.runner.dispose()
  })

  test('a model whose operators are all ours says what it can', () => {
    const { numerics, pool } = tiny.runner
    expect(numerics).toMatchObject({ exactSplits: true, exactRows: true, mostParts: Infinity, mostRows: 128 })
    expect([pool.isPaged, pool.pageBytes]).toEqual([true, tiny.loaded.plan.pageBytes])
  })

  test('several parts at once are what each is alone', async () => {
    // A whole model by the interpreter is slow.
    const count = way.isNative ? RUNS : 1
    const texts = fc.array(
      fc.record({
        past: way.isNative
          ? fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constantFrom(126, 127, 128, 140))
          : fc.nat({ max: 2 }),
        rows: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: way.isNative ? 20 : 2 })),
        wanted: fc.nat({ max: 3 }),
        seed: fc.nat({ max: 50 }),
      }),
      { minLength: 2, maxLength: way.isNative ? 5 : 2 },
    )
    await fc.assert(
      fc.asyncProperty(texts, async (drawn) => {
        const { runner } = tiny
        const parts: Part[] = []
        const expected: string[] = []
        for (const { past, rows, wanted: most, seed } of drawn) {
          const wanted = Math.min(most, rows)
          const text = idsOf(past + rows, seed)
          const sequence = runner.pool.open()
          if (past > 0) await runner.run([part(sequence, text.subarray(0, past), 0)])
          parts.push(part(sequence, text.subarray(past), wanted))
          expected.push(bitsOf(wanted === 0 ? [] : await alone(runner, text, wanted)))
        }
        expect((await rowsOf(runner, parts)).map(bitsOf)).toEqual(expected)
        for (const { sequence } of parts) sequence.dispose()
      }),
      { numRuns: count },
    )
  }, 120_000)

  test('rows are proved', async () => {
    if (way.isNative) expect(await proveRows(tiny.runner)).toBe(true)
  })
})

describe.each(native)('$name', (way) => {
  let tiny: Opened
  let runner: Runner
  let pool: PagedPool
  beforeAll(async () => {
    tiny = await openTiny(way, 2)
    runner = tiny.runner
    pool = runner.pool as PagedPool
    pool.pages.isPoisoned = true
  })
  afterAll(async () => {
    expect(pool.pages.used).toBe(0)
    await runner.dispose()
  })

  test('whatever is forked, trimmed, adopted and evicted, a text says what it says alone', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.infiniteStream(fc.nat()),
        fc.integer({ min: 5, max: 25 }),
        async (stream, steps) => {
          const draw = (below: number): number => stream.next().value % below
          const texts: { sequence: KvSequence; ids: number[] }[] = []
          for (let step = 0; step < steps; step++) await actions[draw(actions.length)]!(draw, texts)
          for (const { sequence } of texts) sequence.dispose()
          expect(pool.pages.used).toBe(0)
        },
      ),
      { numRuns: RUNS },
    )
  }, 300_000)

  type Draw = (below: number) => number
  type Texts = { sequence: KvSequence; ids: number[] }[]
  const lengths = [1, 2, 5, 17, 60, 127, 128, 129]
  const open = async (_: Draw, texts: Texts): Promise<void> => {
    texts.push({ sequence: runner.pool.open(), ids: [] })
  }
  const fork = async (draw: Draw, texts: Texts): Promise<void> => {
    const text = texts[draw(Math.max(1, texts.length))]
    if (text !== undefined) texts.push({ sequence: text.sequence.fork(), ids: [...text.ids] })
  }
  const trim = async (draw: Draw, texts: Texts): Promise<void> => {
    const text = texts[draw(Math.max(1, texts.length))]
    if (text === undefined) return
    const length = draw(text.ids.length + 1)
    text.sequence.trim(length)
    text.ids.length = length
    expect([...text.sequence.ids]).toEqual(text.ids)
  }
  const evict = async (draw: Draw, texts: Texts): Promise<void> => {
    const [text] = texts.splice(draw(Math.max(1, texts.length)), 1)
    text?.sequence.dispose()
  }
  /** A text that begins with the full pages of another, and ids that no page holds. */
  const adopt = async (draw: Draw, texts: Texts): Promise<void> => {
    const text = texts[draw(Math.max(1, texts.length))]
    if (text === undefined) return
    const pages = text.sequence.pages.slice(0, 1 + draw(2))
    const held = pages.length * PAGE
    const ids = text.ids.slice(0, Math.min(text.ids.length, held + draw(4)))
    texts.push({ sequence: runner.pool.open({ pages, ids: Int32Array.from(ids) }), ids })
  }
  const append = async (draw: Draw, texts: Texts): Promise<void> => {
    const chosen = texts.filter(() => draw(2) === 0).slice(0, 4)
    if (chosen.length === 0) return
    const parts = chosen.map(({ sequence, ids }) => {
      const room = runner.facts.contextLength - ids.length
      const count = Math.min(room, lengths[draw(lengths.length)]!)
      return part(sequence, idsOf(count, draw(40)), Math.min(1, count))
    })
    const rows = await rowsOf(runner, parts)
    for (const [i, text] of chosen.entries()) {
      text.ids.push(...parts[i]!.ids)
      if (parts[i]!.ids.length === 0) continue
      expect(bitsOf(rows[i]!)).toBe(bitsOf(await alone(runner, Int32Array.from(text.ids))))
    }
  }
  const actions = [open, fork, trim, evict, adopt, append, append, append, append]

  describe('what fails or is stopped', () => {
    const beginning = idsOf(130, 5)
    const next = Int32Array.of(9)
    let texts: KvSequence[]

    async function begin(): Promise<void> {
      texts = [beginning, beginning.subarray(0, 7)].map(() => runner.pool.open())
      await runner.run([part(texts[0]!, beginning, 0), part(texts[1]!, beginning.subarray(0, 7), 0)])
    }
    async function expectUnchanged(): Promise<void> {
      expect(texts.map(({ length }) => length)).toEqual([130, 7])
      const rows = await rowsOf(
        runner,
        texts.map((text) => part(text, next)),
      )
      expect(bitsOf(rows[0]!)).toBe(bitsOf(await alone(runner, Int32Array.from([...beginning, 9]))))
      expect(bitsOf(rows[1]!)).toBe(
        bitsOf(await alone(runner, Int32Array.from([...beginning.subarray(0, 7), 9]))),
      )
      for (const text of texts) text.dispose()
    }

    test('an id that the model has not', async () => {
      await begin()
      const parts = [part(texts[0]!, Int32Array.of(5, 6)), part(texts[1]!, Int32Array.of(1_000_000))]
      await expect(runner.run(parts)).rejects.toMatchObject({ code: 'failed' })
      await expectUnchanged()
    })

    test('no pages for one of them', async () => {
      await begin()
      pool.limitTo(pool.pages.used)
      const parts = [part(texts[0]!, Int32Array.of(5)), part(texts[1]!, idsOf(PAGE, 1))]
      await expect(runner.run(parts)).rejects.toMatchObject({ code: 'os' })
      pool.limitTo(Number.POSITIVE_INFINITY)
      await expectUnchanged()
    })

    test('a signal, before the run and in it', async () => {
      await begin()
      const parts = (): Part[] => [part(texts[0]!, idsOf(300, 2)), part(texts[1]!, idsOf(300, 3))]
      await expect(runner.run(parts(), AbortSignal.abort(new Error('no')))).rejects.toThrow('no')
      const abort = new AbortController()
      const running = runner.run(parts(), abort.signal)
      setImmediate(() => abort.abort(new Error('stop')))
      await expect(running).rejects.toThrow('stop')
      await expectUnchanged()
    })

    test('more than the context, a text twice, a run beside another', async () => {
      await begin()
      const long = idsOf(runner.facts.contextLength, 2)
      await expect(runner.run([part(texts[1]!, next), part(texts[0]!, long)])).rejects.toMatchObject({
        code: 'data',
      })
      await expect(runner.run([part(texts[0]!, next), part(texts[0]!, next)])).rejects.toMatchObject({
        code: 'internal',
      })
      const running = runner.run([part(texts[0]!, idsOf(40, 2))])
      await expect(runner.run([part(texts[1]!, next)])).rejects.toMatchObject({ code: 'usage' })
      await running
      texts[0]!.trim(130)
      await expectUnchanged()
    })
  })

  test('a step of sizes that were seen binds nothing anew', async () => {
    const texts = [idsOf(100, 1), idsOf(3, 2), idsOf(126, 3)].map((ids) => {
      const sequence = runner.pool.open()
      return { sequence, ids }
    })
    for (const { sequence, ids } of texts) await runner.run([part(sequence, ids, 0)])
    const batch = texts.map(({ sequence }) => part(sequence, Int32Array.of(7)))
    await runner.run(batch)
    const { session } = tiny.loaded
    const counted = ['bindData', 'bindBytes', 'bindInput', 'bindOutput', 'wrap', 'allocate'] as const
    const calls: string[] = []
    for (const name of counted) {
      const plain = session[name].bind(session) as (...args: unknown[]) => unknown
      Object.assign(session, {
        [name]: (...args: unknown[]) => {
          calls.push(name)
          return plain(...args)
        },
      })
    }
    // The third text begins a page meanwhile.
    for (let step = 0; step < 4; step++) await runner.run(batch)
    for (const name of counted) delete (session as unknown as Record<string, unknown>)[name]
    for (const { sequence } of texts) sequence.dispose()
    expect(calls.filter((name) => name !== 'bindBytes')).toEqual([])
    expect(calls.length).toBeLessThan(2)
  })

  test('a head of the runtime: texts share runs, and no bit is promised', async () => {
    const { runner, loaded } = await openHeaded(way)
    expect([loaded.plan.ragged, runner.numerics.exactRows]).toEqual(['apart', false])
    const [a, b] = [idsOf(140, 3), idsOf(9, 4)]
    const texts = [runner.pool.open(), runner.pool.open()] as const
    await runner.run([part(texts[0], a.subarray(0, 139), 0), part(texts[1], b.subarray(0, 4), 0)])
    const rows = await rowsOf(runner, [part(texts[0], a.subarray(139)), part(texts[1], b.subarray(4), 2)])
    const expected = [await alone(runner, a), await alone(runner, b, 2)]
    for (const [i, each] of rows.entries()) {
      for (const [j, row] of each.entries()) {
        for (const [k, number] of row.entries()) expect(number).toBeCloseTo(expected[i]![j]![k]!, 4)
      }
    }
    await runner.dispose()
  })
})

test('a runner whose rows depend on those beside them, or on the cut, is found out', async () => {
  const fake = (bits: (parts: readonly Part[], part: Part) => number): Runner => {
    const open = (): KvSequence => {
      const text = { length: 0, pages: [], trim: () => undefined, dispose: () => undefined }
      return text as unknown as KvSequence
    }
    return {
      facts: { vocabSize: 50, contextLength: 1000, stopTokenIds: new Set() },
      pool: { open },
      async run(parts: readonly Part[]) {
        const rows = parts.flatMap((each) =>
          Array.from({ length: each.wanted }, () => Float32Array.of(bits(parts, each))),
        )
        for (const { sequence, ids } of parts) (sequence as { length: number }).length += ids.length
        return { count: rows.length, row: (i: number) => rows[i]! }
      },
    } as unknown as Runner
  }
  expect(await proveRows(fake(() => 1))).toBe(true)
  expect(await proveRows(fake((parts) => parts.length))).toBe(false)
  expect(await proveRows(fake((_, { ids }) => (ids.length === 1 ? 1 : 2)))).toBe(false)
  expect(
    await proveRows(
      fake((_, { sequence, ids }) => (sequence.length + ids.length > 128 && ids.length < 4 ? 1 : 2)),
    ),
  ).toBe(false)
})
