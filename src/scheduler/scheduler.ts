/**
 * Which parts run next. A step is one run: a row of every text that is decoded, then rows of prompts up to a budget, the texts
 * in the order in which they came. `generate()` is this with one text.
 *
 * Where rows do not depend on the rows beside them, many texts share a run. Elsewhere a run has one text, and the texts are
 * written one after another, as they came: an answer is the same either way, and the first is not slowed by the others.
 *
 * A text waits for its own reader only. What fails in a text ends it alone; a run that fails ends all texts that were in it.
 */
import type { Part, Rows, Runner } from '../backend/backend.ts'
import type { KvPool } from '../backend/kv.ts'
import { SpoutError } from '../errors.ts'
import { Admission } from './admission.ts'
import { Entry, type Job } from './job.ts'
import { PromptBudget } from './prompt-budget.ts'
import { Step } from './step.ts'
import { Texts } from './texts.ts'

/** Told of every step, before and after: for whoever decides how many guesses pay. */
export interface Pace {
  /** So many texts have a row in it, whatever they guess. */
  planned(texts: number): void
  /** It had so many rows, none of a prompt. */
  ran(rows: number, ms: number): void
}

export interface SchedulerParts {
  readonly runner: Pick<Runner, 'run' | 'numerics'>
  readonly pool: Pick<KvPool, 'freePages'>
  /** Frees pages that no running text uses, at least so many if there are as many. */
  readonly reclaim?: ((pages: number) => void) | undefined
  readonly pace?: Pace | undefined
  /** Texts that are written at once, those with a slow reader not counted. Default 32: more rows gain little more. */
  readonly mostTexts?: number | undefined
  /** A step with texts that are decoded takes no more of prompts than fits this time. Default: what a run takes. */
  readonly stepMs?: number | undefined
  /** Milliseconds. */
  readonly now?: (() => number) | undefined
}

/** What the steps so far did. */
export interface Steps {
  steps: number
  /** Ids that were run: of prompts, and chosen ones. */
  rows: number
}

export class Scheduler {
  readonly done: Steps = { steps: 0, rows: 0 }
  readonly #runner: SchedulerParts['runner']
  readonly #pace: Pace | undefined
  readonly #budget: PromptBudget
  readonly #now: () => number
  /** Guesses of each text in the step that is planned. */
  #guesses = 0
  readonly #admission: Admission
  readonly #width: number
  readonly #texts: Texts
  #came = 0
  /** The step that is planned or run. */
  readonly #step: Step
  /** Readers that were found slow in this step. */
  readonly #slow: Promise<void>[] = []
  #stop = new AbortController()
  #isLooping = false
  /** From the start of a run until its rows are taken. */
  #isStepping = false
  /** The last run found no memory: nothing is begun until one has. */
  #isTight = false
  #wake: (() => void) | undefined
  #closed: { readonly reason: unknown } | undefined

  constructor(parts: SchedulerParts) {
    const { runner, pool, reclaim, pace, mostTexts = MOST_TEXTS } = parts
    this.#budget = new PromptBudget(parts.stepMs ?? Number.POSITIVE_INFINITY)
    this.#now = parts.now ?? (() => performance.now())
    const { exactRows, mostParts, mostRows, mostWanted } = runner.numerics
    this.#runner = runner
    this.#pace = pace
    this.#admission = new Admission({ pool, reclaim })
    // Half the rows are left to prompts, or they would not go on.
    const most = Math.min(mostTexts, mostParts, mostWanted, mostRows / 2)
    this.#width = exactRows ? Math.max(1, Math.floor(most)) : 1
    this.#step = new Step(runner.numerics, this.#width)
    // What is computed again would be something else where rows are not exact.
    this.#texts = new Texts(this.#admission, { width: this.#width, mayGiveWay: exactRows })
  }

  /** How often a text was set back for want of memory. */
  get setBack(): number {
    return this.#texts.setBackCount
  }

  get work(): { readonly texts: number; readonly waiting: number } & Readonly<Steps> {
    const { open, count } = this.#texts
    return { texts: open.length, waiting: count - open.length, ...this.done }
  }

  /** Texts share runs; otherwise they are written one after another. */
  get sharesRuns(): boolean {
    return this.#width > 1
  }

  /** @throws the reason of `close` */
  throwIfClosed(): void {
    if (this.#closed !== undefined) throw this.#closed.reason
  }

  /**
   * Resolves when the job's text has finished, for which its reader need not have taken all; without a text when the signal
   * aborts before its turn comes. @throws what `open`, the sampler, the sink or the run threw; the reason of `close`
   */
  run(job: Job): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed.reason)
    const entry = new Entry(job, this.#came++)
    if (job.signal?.aborted) entry.end()
    else {
      entry.listen(() => this.#abort(entry, job.signal!.reason))
      this.#texts.add(entry)
      if (!this.#isLooping) void this.#loop()
      else this.#wake?.()
    }
    return entry.ended
  }

  /** Aborts the texts that were begun; refuses those that wait, and those that will come. */
  close(reason: unknown): void {
    this.#closed ??= { reason }
    for (const entry of this.#texts.all()) {
      if (entry.text === undefined) this.#end(entry, { error: reason })
      else this.#abort(entry, reason)
    }
  }

  async #loop(): Promise<void> {
    this.#isLooping = true
    // Whoever hands in several at once has handed in all.
    await undefined
    try {
      while (this.#texts.count > 0) {
        const guesses = this.#findGuesses()
        if (guesses !== undefined) await guesses
        this.#plan()
        if (!this.#step.isEmpty) await this.#runStep()
        else if (this.#texts.count > 0) await this.#somethingNew()
      }
    } catch (error) {
      for (const entry of this.#texts.all()) this.#end(entry, { error })
    }
    this.#isLooping = false
  }

  /** A single text may wait for the guesses of another model; several would wait for each other's. */
  #findGuesses(): Promise<void> | undefined {
    const { open, count } = this.#texts
    if (count !== 1 || open.length !== 1 || open[0]!.isParked) return undefined
    return open[0]!.text!.guess?.(MOST_GUESSING_ROWS - 1)
  }

  /** All that is left waits for its readers. */
  async #somethingNew(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = undefined
  }

  #plan(): void {
    this.#step.clear()
    this.#admission.startStep()
    this.#shareGuesses()
    this.#addOpen(true)
    if (!this.#step.isEmpty) this.#step.limit(this.#budget.rows)
    this.#addOpen(false)
    while (!this.#step.isFull && !this.#isTight) {
      const entry = this.#texts.begin()
      if (entry === undefined) break
      if (entry.isOpen) this.#addIf(entry, false)
    }
  }

  /** On its way a text may end, or one before or behind it give way. */
  #addOpen(isDecoding: boolean): void {
    const { open } = this.#texts
    for (let i = 0; i < open.length; ) {
      const entry = open[i]!
      this.#addIf(entry, isDecoding)
      if (open[i] === entry) i++
    }
  }

  /** Rows of texts come first; what is left, up to where more rows gain little, is for their guesses. */
  #shareGuesses(): void {
    let texts = 0
    for (const { isParked, text } of this.#texts.open) if (!isParked && text!.isDecoding) texts++
    texts = Math.min(texts, this.#width)
    this.#guesses = texts === 0 ? 0 : Math.floor(Math.max(0, MOST_GUESSING_ROWS - texts) / texts)
    this.#pace?.planned(texts)
  }

  /** Gives an open text its part in the step: it is decoded, or not, as asked for, and there is room and memory. */
  #addIf(entry: Entry, isDecoding: boolean): void {
    const text = entry.text!
    if (entry.isParked || text.isDecoding !== isDecoding || this.#step.isFull) return
    const part = this.#partOf(entry, isDecoding)
    while (part !== undefined && !this.#admission.promise(part.sequence.length, part.ids.length)) {
      const youngest = this.#texts.setBackYoungest(this.#step)
      if (youngest === entry) return
      // Nobody is left who could give way: the run will tell what is missing.
      if (youngest === undefined) break
    }
    if (part !== undefined) this.#step.add(entry, part)
  }

  #partOf(entry: Entry, isDecoding: boolean): Part | undefined {
    try {
      if (isDecoding) return entry.text!.next(this.#roomToDecode(), this.#guesses)
      return entry.text!.next(this.#step.room, this.#step.wantedRoom)
    } catch (error) {
      this.#end(entry, { error })
      return undefined
    }
  }

  /** An id and guesses behind it; a row is left to every other text. */
  #roomToDecode(): number {
    const others = this.#texts.open.length - this.#step.entries.length - 1
    return Math.max(1, this.#step.wantedRoom - Math.max(0, others))
  }

  async #runStep(): Promise<void> {
    if (this.#stop.signal.aborted) this.#stop = new AbortController()
    this.#isStepping = true
    try {
      const startedAt = this.#now()
      const running = this.#runner.run(this.#step.parts, this.#stop.signal)
      this.#foresee()
      const rows = await running
      const ms = this.#now() - startedAt
      this.#budget.ran(this.#step.parts, ms)
      if (this.#pace !== undefined) this.#tellPace(ms)
      this.#isTight = false
      this.#takeAll(rows)
    } catch (error) {
      this.#failAll(error)
    }
    this.#isStepping = false
    // Aborted meanwhile.
    for (const entry of this.#step.entries) if (entry.isAborted) this.#end(entry)
    this.#step.clear()
    if (this.#slow.length > 0) await this.#waitForReaders()
  }

  /** Of a step without rows of a prompt. */
  #tellPace(ms: number): void {
    const { entries, parts } = this.#step
    let rows = 0
    for (let i = 0; i < parts.length; i++) {
      if (!entries[i]!.text!.isDecoding) return
      rows += parts[i]!.wanted
    }
    this.#pace!.ran(rows, ms)
  }

  /** What texts can do while the model computes. */
  #foresee(): void {
    for (const entry of this.#step.entries) {
      try {
        entry.text!.foresee()
      } catch (error) {
        entry.failure = { error }
      }
    }
  }

  #takeAll(rows: Rows): void {
    this.done.steps++
    const { entries, parts } = this.#step
    let at = 0
    for (let i = 0; i < parts.length; i++) {
      const { ids, wanted } = parts[i]!
      this.done.rows += ids.length
      if (!entries[i]!.isAborted) this.#take(entries[i]!, rows, at)
      at += wanted
    }
  }

  #take(entry: Entry, rows: Rows, from: number): void {
    const text = entry.text!
    if (entry.failure !== undefined) {
      this.#end(entry, entry.failure)
      return
    }
    try {
      const full = text.take(rows, from)
      if (text.finished !== undefined) this.#end(entry)
      else if (full !== undefined) this.#park(entry, full)
    } catch (error) {
      this.#end(entry, { error })
    }
  }

  #failAll(error: unknown): void {
    const isShort = error instanceof SpoutError && error.code === 'try-later'
    const failed = this.#step.entries.splice(0)
    for (const entry of failed) if (entry.isAborted) this.#end(entry)
    this.#isTight =
      isShort &&
      (this.#admission.free(failed.length) || this.#texts.setBackYoungest(this.#step) !== undefined)
    if (this.#isTight) return
    for (const entry of failed) this.#end(entry, { error })
  }

  /** Until its reader has taken what it was given. */
  #park(entry: Entry, full: Promise<void>): void {
    entry.isParked = true
    const goOn = (): void => {
      entry.isParked = false
      if (entry.text!.finished !== undefined) this.#end(entry)
      this.#wake?.()
    }
    this.#slow.push(full.then(goOn, (error) => this.#end(entry, { error })))
  }

  /** A reader that is a promise by habit only is none to be left behind; the rows are kept for it as long. */
  async #waitForReaders(): Promise<void> {
    await Promise.race([Promise.all(this.#slow), new Promise(setImmediate)])
    this.#slow.length = 0
    for (const entry of this.#texts.open) if (entry.isParked) entry.text!.letRowsGo()
  }

  #abort(entry: Entry, reason: unknown): void {
    if (entry.hasEnded) return
    entry.isAborted = true
    const isRun = this.#isStepping && this.#step.entries.includes(entry)
    if (!isRun) this.#end(entry)
    else if (this.#step.entries.every(({ isAborted }) => isAborted)) this.#stop.abort(reason)
  }

  #end(entry: Entry, failure?: { readonly error: unknown }): void {
    if (entry.hasEnded) return
    this.#texts.remove(entry)
    entry.text?.letRowsGo()
    if (entry.isOpen) entry.job.close()
    entry.end(failure)
    this.#wake?.()
  }
}

const MOST_TEXTS = 32

/** Rows of a step, guesses among them. */
const MOST_GUESSING_ROWS = 16
