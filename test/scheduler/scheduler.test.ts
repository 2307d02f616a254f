/** Many texts over one runner: each is what it would be alone, whoever comes, goes, is slow, fails or is short of memory. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Drafter } from '../../src/drafting/drafter.ts'
import { makeText } from '../../src/generation/make-text.ts'
import type { Sequence } from '../../src/generation/sequence.ts'
import type { TokenSink } from '../../src/generation/token-sink.ts'
import { createSampler } from '../../src/sampling/sampler.ts'
import type { Job } from '../../src/scheduler/job.ts'
import { Scheduler } from '../../src/scheduler/scheduler.ts'
import { BYTE_EOS, byteTokenizer } from '../support/byte-tokenizer.ts'
import { type CollectingSink, collectingSink } from '../support/collecting-sink.ts'
import { type ScriptedRunner, type ScriptedText, scriptedRunner } from '../support/scripted-runner.ts'

const MODEL = { tokenizer: byteTokenizer, contextLength: 4000, stopTokenIds: new Set([BYTE_EOS]) }

interface Ask {
  readonly prompt: string
  readonly seed?: number
  readonly maxTokens?: number
  readonly sink?: TokenSink
  readonly signal?: AbortSignal
  readonly drafters?: readonly Drafter[]
}

/** A text with a cache of its own. */
class TestJob implements Job {
  readonly collected: CollectingSink = collectingSink()
  readonly #runner: ScriptedRunner
  readonly #ask: Ask
  readonly #prompt: Int32Array
  #cache: ScriptedText | undefined
  text: Sequence | undefined
  opened = 0

  constructor(runner: ScriptedRunner, ask: Ask) {
    this.#runner = runner
    this.#ask = ask
    this.#prompt = byteTokenizer.encode(ask.prompt)
  }

  get tokens(): number {
    return this.#prompt.length
  }

  get signal(): AbortSignal | undefined {
    return this.#ask.signal
  }

  open(): Sequence {
    const { seed = 1, maxTokens = 30, sink = this.collected, drafters } = this.#ask
    this.opened++
    this.#cache = this.#runner.pool.open()
    const sampler = createSampler(
      { temperature: 1.5, seed: BigInt(seed), repetitionPenalty: 1.1 },
      { vocabSize: byteTokenizer.vocabSize, stopTokenIds: MODEL.stopTokenIds },
    )
    this.text?.moveTo(this.#cache)
    this.text ??= makeText(
      MODEL,
      { sampler, sink, maxTokens, drafters },
      { kv: this.#cache, prompt: this.#prompt },
    )
    return this.text
  }

  setBack(): void {
    this.#cache!.dispose()
  }

  close(): void {
    this.#cache!.dispose()
  }

  async answer() {
    await this.text!.end()
    return { ids: [...this.text!.chosen], finished: this.text!.finished, text: this.collected.text }
  }
}

async function alone(ask: Ask, length: number) {
  const runner = scriptedRunner({ length })
  const job = new TestJob(runner, ask)
  await new Scheduler({ runner, pool: runner.pool }).run(job)
  return job.answer()
}

async function together(runner: ScriptedRunner, asks: readonly Ask[], mostTexts?: number) {
  const scheduler = new Scheduler({ runner, pool: runner.pool, mostTexts })
  const jobs = asks.map((ask) => new TestJob(runner, ask))
  await Promise.all(jobs.map((job) => scheduler.run(job)))
  expect(runner.pool.texts.size).toBe(0)
  return { scheduler, jobs, answers: await Promise.all(jobs.map((job) => job.answer())) }
}

const asks = fc.array(
  fc.record({
    prompt: fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme-ascii' }),
    seed: fc.nat(1000),
    maxTokens: fc.integer({ min: 1, max: 200 }),
  }),
  { minLength: 1, maxLength: 8 },
)
const numerics = fc.record({
  mostRows: fc.constantFrom(4, 16, 128),
  mostWanted: fc.constantFrom(3, 128),
  mostParts: fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
  exactRows: fc.boolean(),
})
const numRuns = Number(process.env.SPOUT_SCHEDULER_RUNS ?? 40)
/** Ends are rarer than in other tests, so that texts are longer than a page. */
const LENGTH = 300

test('together as alone, whatever a run may hold, and however short memory is', async () => {
  await fc.assert(
    fc.asyncProperty(asks, numerics, fc.integer({ min: 5, max: 12 }), async (all, limits, pages) => {
      const expected = await Promise.all(all.map((ask) => alone(ask, LENGTH)))
      const memory = limits.exactRows ? { pages } : {}
      const runner = scriptedRunner({ ...limits, ...memory, length: LENGTH })
      const { answers, scheduler } = await together(runner, all)
      expect(answers).toEqual(expected)
      for (const run of runner.runs) {
        expect(run.length).toBeLessThanOrEqual(limits.exactRows ? limits.mostParts : 1)
        expect(run.flat().length).toBeLessThanOrEqual(limits.mostRows)
      }
      expect(scheduler.done.steps).toBe(runner.runs.length)
    }),
    { numRuns },
  )
})

describe('what a step holds', () => {
  const short: Ask[] = Array.from({ length: 6 }, (_, i) => ({ prompt: `text ${i}`, seed: i, maxTokens: 12 }))

  test('the texts that are decoded, then prompts', async () => {
    const runner = scriptedRunner({ length: 1e9 })
    await together(runner, [...short, { prompt: 'x'.repeat(300), maxTokens: 5 }])
    // All six prompts at once, and of the seventh what there is room for.
    const sizes = runner.runs.map((run) => run.map((ids) => ids.length))
    expect(sizes[0]).toEqual([6, 6, 6, 6, 6, 6, 128 - 36])
    expect(sizes[1]).toEqual([1, 1, 1, 1, 1, 1, 122])
    expect(sizes[2]).toEqual([1, 1, 1, 1, 1, 1, 300 - 92 - 122])
    expect(sizes[3]).toEqual([1, 1, 1, 1, 1, 1, 1])
    expect(runner.runs).toHaveLength(12)
  })

  test('one text where rows depend on each other, and then the next', async () => {
    const runner = scriptedRunner({ exactRows: false, length: 1e9 })
    const { scheduler } = await together(runner, short)
    expect(scheduler.sharesRuns).toBe(false)
    expect(runner.runs.every((run) => run.length === 1)).toBe(true)
    const firsts = runner.runs.flatMap(([ids], i) => (ids!.length > 1 ? [i] : []))
    expect(firsts).toEqual([0, 12, 24, 36, 48, 60])
  })

  test('no more texts at once than asked for', async () => {
    const runner = scriptedRunner({ length: 1e9 })
    await together(runner, short, 2)
    expect(runner.runs.map((run) => run.length)).toEqual(Array(36).fill(2))
  })
})

/** Takes nothing from its id `from` on until it is let go. */
function stuckSink(from: number): TokenSink & { letGo: () => void; collected: CollectingSink } {
  const collected = collectingSink()
  let letGo = (): void => undefined
  const stuck = new Promise<void>((resolve) => {
    letGo = resolve
  })
  return {
    collected,
    letGo,
    token(id, text) {
      collected.token(id, text)
      return collected.ids.length === from ? stuck : undefined
    },
    lastPiece: (text) => collected.lastPiece(text),
  }
}

describe('a slow reader', () => {
  const others: Ask[] = [1, 2, 3].map((seed) => ({ prompt: `other ${seed}`, seed, maxTokens: 20 }))

  test.each([
    ['among texts that share runs', {}],
    ['where texts are written one after another', { mostParts: 1 }],
    ['whose memory others need', { pages: 3 }],
  ])('stops its own text only: %s', async (_, limits) => {
    const runner = scriptedRunner({ ...limits, length: 1e9 })
    const scheduler = new Scheduler({ runner, pool: runner.pool })
    const sink = stuckSink(3)
    const ask = { prompt: 'slow', seed: 9, sink }
    const slow = new TestJob(runner, ask)
    const ended = scheduler.run(slow)
    const jobs = others.map((other) => new TestJob(runner, other))
    await Promise.all(jobs.map((job) => scheduler.run(job)))
    expect(await Promise.all(jobs.map((job) => job.answer()))).toEqual(
      await Promise.all(others.map((other) => alone(other, 1e9))),
    )
    expect(sink.collected.ids).toHaveLength(3)
    sink.letGo()
    await ended
    expect((await slow.answer()).ids).toEqual((await alone({ ...ask, sink: collectingSink() }, 1e9)).ids)
    expect(slow.opened).toBe('pages' in limits ? 2 : 1)
  })

  test('in the middle of what was guessed: the rest is run again', async () => {
    const ask = { prompt: 'guessed', seed: 4, maxTokens: 25 }
    const { ids } = await alone(ask, 1e9)
    const runner = scriptedRunner({ length: 1e9 })
    const scheduler = new Scheduler({ runner, pool: runner.pool, mostTexts: 1 })
    const sink = stuckSink(5)
    const job = new TestJob(runner, { ...ask, sink, drafters: [knowing(ids)] })
    const ended = scheduler.run(job)
    while (sink.collected.ids.length < 5) await new Promise(setImmediate)
    // Twice, so that the turn in which it might have been quick is over.
    for (let i = 0; i < 2; i++) await new Promise(setImmediate)
    // The prompt, then one row and the guesses, which were given up after the fifth id.
    expect([...runner.pool.texts][0]).toHaveLength(ask.prompt.length + 4)
    sink.letGo()
    await ended
    expect((await job.answer()).ids).toEqual(ids)
  })

  test('that is a promise by habit costs no rows', async () => {
    const collected = [collectingSink(), collectingSink()]
    const asks = collected.map((sink, seed) => {
      const polite = {
        token: async (id: number, text: string) => sink.token(id, text),
        lastPiece: sink.lastPiece,
      }
      return { prompt: `polite ${seed}`, seed, maxTokens: 10, sink: polite }
    })
    const runner = scriptedRunner({ length: 1e9 })
    await together(runner, asks)
    expect(runner.runs.map((run) => run.length)).toEqual(Array(10).fill(2))
  })
})

/** Guesses what really comes. */
function knowing(truth: readonly number[]): Drafter {
  let seen = -'guessed'.length
  return {
    accept: () => void seen++,
    propose(into, most) {
      const guess = truth.slice(seen, seen + most)
      into.set(guess)
      return guess.length
    },
  }
}

describe('who leaves', () => {
  const ask = (seed: number): Ask => ({ prompt: `text ${seed}`, seed, maxTokens: 20 })

  test.each(['while it waits', 'while it runs', 'while its reader is slow'])(
    '%s frees its place',
    async (when) => {
      const runner = scriptedRunner({ length: 1e9, onRun: (run) => run === 5 && leaving.abort() })
      const leaving = new AbortController()
      const sink = when === 'while its reader is slow' ? stuckSink(2) : collectingSink()
      const scheduler = new Scheduler({ runner, pool: runner.pool, mostTexts: 2 })
      const asks = [ask(1), ask(2), ask(3)]
      const at = when === 'while it waits' ? 2 : 1
      asks[at] = { ...asks[at]!, signal: leaving.signal, sink }
      const jobs = asks.map((each) => new TestJob(runner, each))
      await Promise.all(jobs.map((job) => scheduler.run(job)))
      expect(runner.pool.texts.size).toBe(0)
      if (when === 'while it waits') expect(jobs[2]!.opened).toBe(0)
      else expect(jobs[1]!.text!.finished).toBe('aborted')
      for (const i of [0, 1, 2]) {
        if (i !== at) expect(await jobs[i]!.answer()).toEqual(await alone(ask(i + 1), 1e9))
      }
    },
  )

  test('as the last of a run ends the run', async () => {
    const leaving = new AbortController()
    const seen: (AbortSignal | undefined)[] = []
    const runner = scriptedRunner({ length: 1e9 })
    const run = runner.run
    const hanging = Object.assign(runner, {
      run: (batch: Parameters<typeof run>[0], signal?: AbortSignal) => {
        seen.push(signal)
        if (seen.length < 3) return run(batch, signal)
        setImmediate(() => leaving.abort())
        return new Promise<never>((_, reject) => {
          signal!.addEventListener('abort', () => reject(signal!.reason))
        })
      },
    })
    const asks = [ask(1), ask(2)].map((each) => ({ ...each, signal: leaving.signal }))
    const { answers } = await together(hanging, asks)
    expect(answers.map(({ ids, finished }) => [ids.length, finished])).toEqual(Array(2).fill([2, 'aborted']))
  })
})

describe('what fails', () => {
  const sound = { prompt: 'sound', seed: 5, maxTokens: 20 }
  const no = new Error('no')

  test.each([
    ['a sink that throws', { token: () => raise(no), lastPiece: () => undefined }],
    ['a sink that rejects', { token: () => Promise.reject(no), lastPiece: () => undefined }],
  ])('%s ends its own text only', async (_, sink) => {
    const runner = scriptedRunner({ length: 1e9 })
    const scheduler = new Scheduler({ runner, pool: runner.pool })
    const [bad, good] = [{ prompt: 'bad', sink }, sound].map((ask) => new TestJob(runner, ask))
    const ends = await Promise.allSettled([scheduler.run(bad!), scheduler.run(good!)])
    expect(ends).toMatchObject([{ reason: no }, { status: 'fulfilled' }])
    expect(await good!.answer()).toEqual(await alone(sound, 1e9))
    expect(runner.pool.texts.size).toBe(0)
  })

  test('a drafter that fails ends its own text only', async () => {
    const runner = scriptedRunner({ length: 1e9 })
    const scheduler = new Scheduler({ runner, pool: runner.pool })
    const drafters = [{ accept: () => undefined, propose: () => raise(no) }]
    const [bad, good] = [{ prompt: 'bad', drafters }, sound].map((ask) => new TestJob(runner, ask))
    const ends = await Promise.allSettled([scheduler.run(bad!), scheduler.run(good!)])
    expect(ends).toMatchObject([{ reason: no }, { status: 'fulfilled' }])
    expect(await good!.answer()).toEqual(await alone(sound, 1e9))
  })

  test('a job that cannot be opened ends alone', async () => {
    const runner = scriptedRunner({ length: 1e9 })
    const scheduler = new Scheduler({ runner, pool: runner.pool })
    const bad = Object.assign(new TestJob(runner, sound), { open: () => raise(no) })
    const good = new TestJob(runner, sound)
    const ends = await Promise.allSettled([scheduler.run(bad), scheduler.run(good)])
    expect(ends).toMatchObject([{ reason: no }, { status: 'fulfilled' }])
  })

  test('a run that fails is told to all that were in it, and to nobody else', async () => {
    const runner = scriptedRunner({
      length: 1e9,
      onRun: (run) => run === 4 && !failed++ && Promise.reject(no),
    })
    let failed = 0
    const scheduler = new Scheduler({ runner, pool: runner.pool, mostTexts: 2 })
    const jobs = [1, 2, 3].map((seed) => new TestJob(runner, { ...sound, seed }))
    const ends = await Promise.allSettled(jobs.map((job) => scheduler.run(job)))
    expect(ends).toMatchObject([{ reason: no }, { reason: no }, { status: 'fulfilled' }])
    expect(await jobs[2]!.answer()).toEqual(await alone({ ...sound, seed: 3 }, 1e9))
  })
})

describe('short memory', () => {
  test('sets the youngest back, and nobody older', async () => {
    const runner = scriptedRunner({ length: 1e9, pages: 7 })
    const asks = [1, 2, 3].map((seed) => ({ prompt: 'p'.repeat(100 + seed), seed, maxTokens: 200 }))
    const { jobs, answers, scheduler } = await together(runner, asks)
    expect(jobs.map(({ opened }) => opened)).toEqual([1, 1, 2])
    expect(scheduler.setBack).toBe(1)
    expect(answers).toEqual(await Promise.all(asks.map((ask) => alone(ask, 1e9))))
  })

  test('that is too short for one text is told', async () => {
    const runner = scriptedRunner({ length: 1e9, pages: 1 })
    const asks = [
      { prompt: 'p'.repeat(100), maxTokens: 100 },
      { prompt: 'q', maxTokens: 20 },
    ]
    const scheduler = new Scheduler({ runner, pool: runner.pool })
    const jobs = asks.map((ask) => new TestJob(runner, ask))
    const ends = await Promise.allSettled(jobs.map((job) => scheduler.run(job)))
    expect(ends).toMatchObject([{ reason: { code: 'try-later' } }, { status: 'fulfilled' }])
  })

  test('asks for what nobody uses before it sets a text back', async () => {
    const runner = scriptedRunner({ length: 1e9, pages: 3 })
    const unused = runner.pool.load(() => undefined)
    const asked: number[] = []
    const reclaim = (pages: number): void => {
      asked.push(pages)
      unused.release()
    }
    const scheduler = new Scheduler({ runner, pool: runner.pool, reclaim })
    const job = new TestJob(runner, { prompt: 'p'.repeat(250), maxTokens: 100 })
    await scheduler.run(job)
    expect(asked).toEqual([1])
    expect(job.opened).toBe(1)
  })
})

test('closed: what runs is aborted, what waits and what comes is refused', async () => {
  const why = new Error('closed')
  const runner = scriptedRunner({ length: 1e9, onRun: (run) => run === 3 && scheduler.close(why) })
  const scheduler = new Scheduler({ runner, pool: runner.pool, mostTexts: 1 })
  const jobs = [1, 2].map((seed) => new TestJob(runner, { prompt: 'text', seed }))
  const ends = await Promise.allSettled(jobs.map((job) => scheduler.run(job)))
  expect(ends).toMatchObject([{ status: 'fulfilled' }, { reason: why }])
  expect(await jobs[0]!.answer()).toMatchObject({ finished: 'aborted', ids: { length: 3 } })
  await expect(scheduler.run(new TestJob(runner, { prompt: 'late' }))).rejects.toBe(why)
  expect(runner.pool.texts.size).toBe(0)
})

function raise(error: Error): never {
  throw error
}

test('a long prompt takes no more of a step than fits its time, while another text is decoded', async () => {
  let time = 0
  let reading: Promise<void> | undefined
  const sizes: number[][] = []
  const runner = scriptedRunner({
    length: 1_000_000,
    onRun: (run, batch) => {
      // By now the other is decoded.
      if (run === 3) reading = scheduler.run(long)
      const rows = batch.map(({ ids }) => ids.length)
      sizes.push(rows)
      // A row takes two milliseconds.
      time += 2 * rows.reduce((sum, count) => sum + count, 0)
    },
  })
  const scheduler = new Scheduler({ runner, pool: runner.pool, stepMs: 60, now: () => time })
  const short = new TestJob(runner, { prompt: 'ab', maxTokens: 40 })
  const long = new TestJob(runner, { prompt: 'long '.repeat(100), maxTokens: 3 })
  await scheduler.run(short)
  await reading
  const beside = sizes
    .filter((rows) => rows.length === 2 && Math.max(...rows) > 2)
    .map((rows) => Math.max(...rows))
  expect(beside.length).toBeGreaterThan(8)
  expect(Math.max(...beside.slice(1))).toBeLessThanOrEqual(32)
  expect(Math.min(...beside.slice(1, -1))).toBeGreaterThanOrEqual(16)
  const alone = new TestJob(runner, { prompt: 'long '.repeat(100), maxTokens: 3 })
  await new Scheduler({ runner, pool: runner.pool }).run(alone)
  expect(await long.answer()).toEqual(await alone.answer())
})
