/** Records through an engine: order, how many at once, what stops a run and what does not; and a file that survives it. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { type FinishedOutput, Journal, openJournal } from '../../src/batch/journal.ts'
import { readLines } from '../../src/batch/line-reader.ts'
import { createOutputWriter } from '../../src/batch/output-format.ts'
import { openRecords } from '../../src/batch/records.ts'
import { type BatchOutput, markOf, runBatch } from '../../src/batch/run-batch.ts'
import { parseShard } from '../../src/batch/shard.ts'
import { TaskReader } from '../../src/batch/tasks.ts'
import { SpoutError } from '../../src/errors.ts'
import { bytesOf, recordsOf, type ToyEngine, toyEngine } from '../support/batch.ts'

const folder = mkdtempSync(join(tmpdir(), 'spout-batch-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const newPath = (): string => join(folder, `out-${files++}`)

interface Given {
  readonly engine?: ToyEngine
  readonly parallel?: number
  readonly ordered?: boolean
  readonly maxErrors?: number
  readonly shard?: string
  readonly signal?: AbortSignal
  readonly output?: BatchOutput
  readonly onDone?: () => void
}

async function run(input: string, given: Given = {}) {
  const { engine = toyEngine(), shard = '0/1', ordered = true } = given
  const lines: string[] = []
  const stream: BatchOutput = { write: ({ text }) => void lines.push(text) }
  const { records } = await openRecords(readLines(bytesOf(input)), 'jsonl')
  const writer = createOutputWriter({
    format: 'json',
    withInput: false,
    header: undefined,
    model: () => 'toy',
    created: 0,
  })
  const end = await runBatch({
    records,
    reader: new TaskReader(
      { format: 'jsonl', header: undefined },
      { defaults: {}, template: undefined, before: undefined, runSeed: 0n, seedByLine: false },
    ),
    shard: parseShard(shard),
    write: writer.write,
    output: given.output ?? stream,
    ordered,
    parallel: given.parallel ?? 4,
    maxErrors: given.maxErrors,
    openEngine: async () => engine,
    io: {
      signal: given.signal ?? new AbortController().signal,
      think: 'show',
      asSpoutError: (cause) =>
        cause instanceof SpoutError ? cause : new SpoutError('internal', String(cause)),
    },
    observer: { kept: () => undefined, done: given.onDone ?? (() => undefined) },
  })
  return { lines, text: lines.join(''), end, engine }
}

const prompts = (count: number): string =>
  Array.from({ length: count }, (_, i) => JSON.stringify({ id: `n${i}`, prompt: `p${i}` })).join('\n')

/** Answers of different lengths, so that they are finished out of order. */
const uneven = (): ToyEngine => toyEngine({ delay: ({ text }) => (Number(text.slice(1)) * 7) % 11 })

describe('a run', () => {
  test.each([1, 3, 16])('gives the same bytes with %i at once', async (parallel) => {
    const alone = await run(prompts(100), { parallel: 1 })
    const { text, engine } = await run(prompts(100), { parallel, engine: uneven() })
    expect(text).toBe(alone.text)
    expect(engine.most).toBe(parallel)
  })

  test('without order has the same lines', async () => {
    const alone = await run(prompts(60))
    const { lines } = await run(prompts(60), { ordered: false, parallel: 8, engine: uneven() })
    expect(lines).not.toEqual(alone.lines)
    expect([...lines].sort()).toEqual([...alone.lines].sort())
  })

  test('one bad line in a thousand costs one answer', async () => {
    const input = prompts(1000).split('\n').with(500, '{"prompt": broken').join('\n')
    const { lines } = await run(input, { parallel: 16 })
    const errors = lines.map((line) => JSON.parse(line)).filter(({ error }) => error !== undefined)
    expect(lines).toHaveLength(1000)
    expect(errors).toMatchObject([{ index: 500, error: { code: 'invalid_json', line: 501 } }])
  })

  test('what the engine refuses is an error of its line', async () => {
    const engine = toyEngine({
      say({ text }) {
        if (text === 'p1') throw new SpoutError('data', 'prompt: it is 9 tokens, the context holds 5')
        if (text === 'p2') throw new SpoutError('config', 'chat template: it refuses')
        if (text === 'p3') throw new SpoutError('failed', 'logits: not finite')
        return 'fine'
      },
    })
    const { lines } = await run(prompts(5), { engine })
    expect(lines.map((line) => JSON.parse(line).error?.code)).toEqual([
      ...[undefined, 'context_length_exceeded', 'invalid_value', 'failed', undefined],
    ])
  })

  test.each([
    new SpoutError('os', 'memory: none left'),
    new SpoutError('internal', 'a bug'),
    new RangeError('Array buffer allocation failed'),
  ])('%s ends it, with all before it written', async (failure) => {
    const engine = toyEngine({
      delay: ({ text }) => (text === 'p20' ? 0 : 3),
      say({ text }) {
        if (text === 'p20') throw failure
        return 'fine'
      },
    })
    const lines: string[] = []
    const output = { write: ({ text }: { text: string }) => void lines.push(text) }
    await expect(run(prompts(1000), { engine, output })).rejects.toMatchObject({
      message: expect.stringContaining(failure.message),
    })
    expect(engine.asked.length).toBeLessThan(30)
    expect(lines.length).toBeGreaterThan(15)
  })

  test('more errors than may be end it', async () => {
    const bad = Array.from({ length: 100 }, () => 'broken').join('\n')
    await expect(run(bad, { maxErrors: 3 })).rejects.toThrow(
      'more than 3 lines have errors; the last: line 4: not JSON',
    )
    await expect(run('broken\nbroken\n"fine"', { maxErrors: 2 })).resolves.toMatchObject({
      end: { records: 3 },
    })
  })

  test('an engine that computes nothing any more ends it', async () => {
    const engine = toyEngine({
      say({ text }) {
        if (Number(text.slice(1)) >= 50) throw new SpoutError('failed', 'device: lost')
        return 'fine'
      },
    })
    const message = 'batch: 32 answers failed one after another; the last: line 82: device: lost'
    await expect(run(prompts(1000), { engine, parallel: 1 })).rejects.toThrow(message)
    expect(engine.asked).toHaveLength(82)
  })

  test('equal lines are computed once, and each has its answer', async () => {
    const input = Array.from({ length: 90 }, (_, i) => JSON.stringify({ id: i, prompt: `p${i % 9}` })).join(
      '\n',
    )
    const { lines, engine } = await run(input, { parallel: 4, engine: uneven() })
    expect(engine.asked).toHaveLength(9)
    expect(lines.map((line) => JSON.parse(line).text.split(' ')[0])).toEqual(
      Array.from({ length: 90 }, (_, i) => `p${i % 9}`),
    )
  })

  test('an abort ends it soon, and what was done is written', async () => {
    const controller = new AbortController()
    let done = 0
    const lines: string[] = []
    const { end, engine } = await run(prompts(1000), {
      engine: uneven(),
      signal: controller.signal,
      output: { write: ({ text }) => void lines.push(text) },
      onDone: () => void (++done === 50 && controller.abort()),
    })
    expect(end).toBeUndefined()
    expect(lines.length).toBeGreaterThan(40)
    expect(engine.asked.length).toBeLessThan(120)
  })

  test('a reader that is slow holds it up, and an answer that is long does not', async () => {
    let [most, written] = [0, 0]
    const engine = toyEngine({ delay: ({ text }) => (text === 'p0' ? 400 : 0) })
    await run(prompts(400), {
      engine,
      parallel: 4,
      output: {
        write() {
          most = Math.max(most, engine.asked.length - written++)
          return new Promise((resolve) => setImmediate(resolve))
        },
      },
    })
    // While the first answer is computed, no more than the lag are ahead of it.
    expect(most).toBeLessThanOrEqual(4 * 8)
  })

  test('shards are all of it, each line once', async () => {
    const whole = await run(prompts(50))
    const shards = await Promise.all(['0/3', '1/3', '2/3'].map((shard) => run(prompts(50), { shard })))
    const merged = whole.lines.map((_, i) => shards[i % 3]!.lines[Math.floor(i / 3)])
    expect(merged).toEqual(whole.lines)
    expect(shards.map(({ lines }) => lines.length)).toEqual([17, 17, 16])
  })

  test('an empty input asks no engine', async () => {
    const { text, end, engine } = await run('\n \n')
    expect({ text, end, asked: engine.asked.length }).toEqual({
      text: '',
      end: { records: 0, mark: '' },
      asked: 0,
    })
  })
})

interface Into extends Given {
  readonly settings?: object
  readonly fresh?: boolean
  readonly retryErrors?: boolean
  readonly head?: string
}

/** The same command again and again: what a run before left is gone on with. */
async function runInto(path: string, input: string, given: Into = {}) {
  const { ordered = true, settings = {}, fresh = false, retryErrors = false, head = '' } = given
  const journal = openJournal({
    path,
    name: 'OUT',
    settings: { ...settings },
    head,
    ordered,
    fresh,
    retryErrors,
  })
  if (!(journal instanceof Journal)) return { finished: journal as FinishedOutput }
  try {
    journal.checkModel({ model: 'toy' })
    const result = await run(input, { ...given, output: journal })
    if (result.end !== undefined) journal.finish(result.end.records, result.end.mark)
    return result
  } finally {
    journal.close()
  }
}

/** A process that dies: nothing after this moment is done. */
class Death extends Error {}

function dieAfter(engine: ToyEngine, answers: number): ToyEngine {
  let left = answers
  return {
    asked: engine.asked,
    get most() {
      return engine.most
    },
    async generate(request, door) {
      const result = await engine.generate(request, door)
      if (left-- <= 0) throw new Death('killed')
      return result
    },
  }
}

describe('an output file', () => {
  test('is the stream of an undisturbed run, and its journal stays short', async () => {
    const path = newPath()
    const { text } = await run(prompts(50))
    await runInto(path, prompts(50), { engine: uneven(), head: 'HEAD\n' })
    expect(readFileSync(path, 'utf8')).toBe(`HEAD\n${text}`)
    expect(readdirSync(folder).filter((name) => name.startsWith(path.split('/').at(-1)!))).toEqual([
      ...[path, `${path}.journal`].map((each) => each.split('/').at(-1)!),
    ])
    expect(statSync(`${path}.journal`).size).toBeLessThan(400)
  })

  test('all done: the same command computes nothing', async () => {
    const path = newPath()
    await runInto(path, prompts(5))
    const again = await runInto(path, prompts(5))
    const mark = (await markOf(asyncOf(await recordsOf(prompts(5), 'jsonl')), parseShard('0/1'))).mark
    expect(again).toEqual({ finished: { records: 5, failed: 0, mark, to: statSync(path).size } })
  })

  test('killed anywhere, torn anywhere, resumed: the bytes of an undisturbed run, and no answer computed twice', async () => {
    const whole = (await run(prompts(60))).text
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ answers: fc.nat(40), tear: fc.nat(300), tearLog: fc.nat(300) }), {
          maxLength: 4,
        }),
        fc.constantFrom(1, 3, 16),
        fc.boolean(),
        async (deaths, parallel, ordered) => {
          const path = newPath()
          const engine = uneven()
          for (const { answers, tear, tearLog } of deaths) {
            const died = await runInto(path, prompts(60), {
              engine: dieAfter(engine, answers),
              parallel,
              ordered,
            }).then(
              () => false,
              (error: Error) => {
                expect(error.message).toContain('killed')
                return true
              },
            )
            if (!died) break
            // What a loss of power takes.
            tearOff(`${path}.partial`, tear % 3 === 0 ? tear : 0)
            tearOff(`${path}.journal`, tearLog % 3 === 0 ? tearLog : 0)
          }
          await runInto(path, prompts(60), { engine, parallel, ordered })
          const text = readFileSync(path, 'utf8')
          const sorted = (lines: string): string => lines.split('\n').sort().join('\n')
          if (ordered) expect(text).toBe(whole)
          else expect(sorted(text)).toBe(sorted(whole))
        },
      ),
      { numRuns: Number(process.env.SPOUT_RESUME_RUNS ?? 12) },
    )
  })

  test('only what was under way is computed again', async () => {
    const path = newPath()
    const engine = uneven()
    for (let deaths = 0; deaths < 10; deaths++) {
      await expect(
        runInto(path, prompts(300), { engine: dieAfter(engine, 20), parallel: 4 }),
      ).rejects.toThrow('killed')
    }
    await runInto(path, prompts(300), { engine, parallel: 4 })
    expect(readFileSync(path, 'utf8')).toBe((await run(prompts(300))).text)
    expect(engine.asked.length).toBeLessThanOrEqual(300 + 10 * 4)
  })

  test('begun with other settings, or by another model: refused with both', async () => {
    const path = newPath()
    const dies = { engine: dieAfter(toyEngine(), 5) }
    await expect(
      runInto(path, prompts(20), { ...dies, settings: { temperature: 0.2, seed: 1 } }),
    ).rejects.toThrow('killed')
    await expect(
      runInto(path, prompts(20), { settings: { temperature: 0.7, seed: 1 } }),
    ).rejects.toMatchObject({
      code: 'usage',
      message: '"OUT": begun with other settings: temperature was 0.2, is 0.7',
      hint: '--fresh starts over; the old settings go on with it',
    })
    const journal = openJournal({
      path,
      name: 'OUT',
      settings: { temperature: 0.2, seed: 1 },
      head: '',
      ordered: true,
      fresh: false,
      retryErrors: false,
    })
    expect(() => (journal as Journal).checkModel({ model: 'other' })).toThrow('model was "toy", is "other"')
    ;(journal as Journal).close()
    await runInto(path, prompts(20), { settings: { temperature: 0.7 }, fresh: true })
    expect(readFileSync(path, 'utf8')).toBe((await run(prompts(20))).text)
  })

  test.each([
    ['a line that was answered is another', prompts(20).replace('"p2"', '"x"')],
    ['it has become shorter', prompts(3)],
  ])('the input has been changed: %s', async (_, changed) => {
    const path = newPath()
    await expect(runInto(path, prompts(20), { engine: dieAfter(toyEngine(), 8) })).rejects.toThrow('killed')
    await expect(runInto(path, changed)).rejects.toThrow('the input has been changed')
    expect(existsSync(path)).toBe(false)
    await runInto(path, prompts(20))
    expect(readFileSync(path, 'utf8')).toBe((await run(prompts(20))).text)
  })

  test('that was changed after it was written is not taken for done', async () => {
    const path = newPath()
    await runInto(path, prompts(5))
    truncateSync(path, 10)
    await expect(runInto(path, prompts(5))).rejects.toThrow('it has been changed since it was written')
    rmSync(path)
    await runInto(path, prompts(5))
    expect(readFileSync(path, 'utf8')).toBe((await run(prompts(5))).text)
  })

  test('an old file stays until the new one is whole', async () => {
    const path = newPath()
    writeFileSync(path, 'old', { mode: 0o640 })
    await expect(runInto(path, prompts(20), { engine: dieAfter(toyEngine(), 5) })).rejects.toThrow('killed')
    expect(readFileSync(path, 'utf8')).toBe('old')
    await runInto(path, prompts(20))
    expect(readFileSync(path, 'utf8')).toBe((await run(prompts(20))).text)
    expect(statSync(path).mode & 0o777).toBe(0o640)
  })

  test('--retry-errors asks again for what had failed, and for nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(39), { minLength: 1, maxLength: 8 }),
        fc.nat(9),
        fc.boolean(),
        async (bad, dieAt, ordered) => {
          const path = newPath()
          const isBad = new Set(bad.map((i) => `p${i}`))
          const engine = toyEngine({
            delay: ({ text }) => (Number(text.slice(1)) * 7) % 11,
            say({ text }) {
              if (isBad.has(text)) throw new SpoutError('failed', 'not this time')
              return text
            },
          })
          const given = { engine, ordered, head: 'HEAD\n' }
          await runInto(path, prompts(40), given)
          expect(await runInto(path, prompts(40), given)).toMatchObject({ finished: { failed: bad.length } })
          isBad.clear()
          const before = engine.asked.length
          await runInto(path, prompts(40), {
            ...given,
            engine: dieAfter(engine, dieAt),
            retryErrors: true,
          }).catch((error: Error) => expect(error.message).toContain('killed'))
          await runInto(path, prompts(40), { ...given, retryErrors: true })
          const asked = engine.asked.slice(before).map(({ text }) => text)
          expect([...new Set(asked)].sort()).toEqual(bad.map((i) => `p${i}`).sort())
          const texts = readFileSync(path, 'utf8').split('\n').slice(1, -1)
          const answers = texts.map((line) => JSON.parse(line).text)
          const wanted = Array.from({ length: 40 }, (_, i) => `p${i}`)
          expect(ordered ? answers : [...answers].sort()).toEqual(ordered ? wanted : [...wanted].sort())
        },
      ),
      { numRuns: Number(process.env.SPOUT_RESUME_RUNS ?? 12) },
    )
  })
})

function tearOff(path: string, bytes: number): void {
  if (existsSync(path)) truncateSync(path, Math.max(0, statSync(path).size - bytes))
}

async function* asyncOf<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}
