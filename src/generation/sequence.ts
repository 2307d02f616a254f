/**
 * A text being continued. Known ids, the prompt's and those that were chosen, catch up with computed ones: `next` says what
 * is to be run, `take` chooses from what came of it. No session, no scheduler, and no clock but the timings.
 *
 * One coin per emitted id, and no way back: sampler, stop strings and text see emitted ids only. A guess of a drafter is
 * run with the ids before it, and stays when the sampler chooses it as well; what was run in vain is trimmed.
 */
import type { KvCache, Part, Rows } from '../backend/backend.ts'
import { pieceEnd } from '../backend/pieces.ts'
import type { Constraint } from '../grammar/constraint.ts'
import { DraftLength } from './draft-length.ts'
import { sampleNext } from './sample-next.ts'
import type { DraftCounts, ForcedCounts, SequenceParts } from './sequence-parts.ts'
import type { FinishReason } from './stop-criteria.ts'
import type { Timings } from './timings.ts'

export class Sequence {
  finished: FinishReason | undefined
  readonly forced: ForcedCounts = { forced: 0, drafted: 0, rejected: 0 }
  readonly drafts: DraftCounts = { steps: 0, drafted: 0, accepted: 0 }
  readonly #parts: SequenceParts
  #held: number
  readonly #startedAt = performance.now()
  #kv: KvCache | undefined
  /** The prompt, what was chosen, and behind `#length` the guesses of this step. */
  #ids: Int32Array
  #length: number
  /** Ids that the cache holds. */
  #computed: number
  /** What `next` gave last. */
  readonly #part: { sequence: KvCache; ids: Int32Array; wanted: number }
  readonly #step = new Int32Array(1)
  #drafts = 0
  /** The prompt, while the drafters do not know it. */
  #untold: Int32Array | undefined
  /** A drafter has runs of its own. */
  readonly #hasRuns: boolean
  /** The guesses are the constraint's. */
  #isForced = false
  readonly #forcedLength = new DraftLength()
  /** Rows of the last run that nothing was chosen from yet, from the first of them on. */
  #rows: Rows | undefined
  #row = 0
  #rowsLeft = 0
  /** The reader is slow: resolves when it has taken what it was given. */
  #full: Promise<void> | undefined
  #prefilledAt = 0
  #steppedAt = 0

  constructor(parts: SequenceParts) {
    const { kv, prompt, held = 0, sampler, drafters = [] } = parts
    this.#parts = parts
    this.#kv = kv
    this.#held = held
    this.#ids = new Int32Array(prompt.length + FIRST_ROOM)
    this.#ids.set(prompt)
    this.#length = prompt.length
    this.#computed = held
    this.#part = { sequence: kv!, ids: this.#step, wanted: 1 }
    sampler.accept(prompt)
    this.#untold = drafters.length > 0 ? prompt : undefined
    this.#hasRuns = drafters.some(({ prepare }) => prepare !== undefined)
  }

  /** The ids that were chosen, a stop id not among them. */
  get chosen(): Int32Array {
    return this.#ids.subarray(this.#parts.prompt.length, this.#length)
  }

  /** Somebody guesses what comes. */
  get isDrafted(): boolean {
    return this.#parts.drafters !== undefined
  }

  /** Ids that are known: the prompt, and what was chosen. */
  get length(): number {
    return this.#length
  }

  /** The known ids. */
  get ids(): Int32Array {
    return this.#ids.subarray(0, this.#length)
  }

  /** All known ids but the last are computed: `next` is a step. */
  get isDecoding(): boolean {
    return this.#prefilledAt > 0 && this.#computed >= this.#length - 1
  }

  get timings(): Timings {
    const { firstAt } = this.#parts.out
    const [startedAt, prefilledAt, endedAt] = [this.#startedAt, this.#prefilledAt, this.#steppedAt]
    return { startedAt, prefilledAt, endedAt, firstTextAt: firstAt }
  }

  /**
   * Known ids that are not computed, at most `most` of them; behind the last, guesses. Valid until the next call.
   * @param guesses of drafters, at most; those of a constraint are limited by `most` alone
   */
  next(most: number, guesses = most): Part {
    const part = this.#part
    const end = pieceEnd(this.#computed, most, this.#length)
    const isLast = end === this.#length
    this.#drafts = isLast && this.isDecoding ? this.#propose(most - 1, guesses) : 0
    if (end - this.#computed === 1 && this.#drafts === 0) {
      this.#step[0] = this.#ids[this.#computed]!
      part.ids = this.#step
    } else {
      part.ids = this.#ids.subarray(this.#computed, end + this.#drafts)
    }
    part.wanted = isLast ? 1 + this.#drafts : 0
    return part
  }

  /**
   * Takes the rows of that part, from row `from` on: chooses an id from each, until one is not the guess that was run
   * behind it. Afterwards all known ids but the last are computed, or a prompt is left, or the text is finished.
   * @returns a promise when the reader is slow: until it resolves nothing more is chosen, but rows may be needed (`needsRows`)
   * @throws SpoutError `failed` when the logits are not finite
   */
  take(rows: Rows, from: number): Promise<void> | undefined {
    const { ids, wanted } = this.#part
    this.#computed += ids.length
    if (this.#prefilledAt === 0) this.#prefilled()
    if (wanted === 0) return undefined
    const { limits, constraint } = this.#parts
    if (limits.budget <= 0) this.finished = limits.atBudget
    else if (constraint?.mustEnd) this.finished = 'stop'
    if (this.finished !== undefined) return undefined
    this.drafts.steps++
    this.#rows = rows
    this.#row = from
    this.#rowsLeft = wanted
    this.#computed -= wanted
    this.#full = undefined
    return this.#judge()
  }

  /**
   * Finds guesses that take a run of another model, at most so many. `undefined`: there is nothing to wait for before `next`.
   * A drafter that has a guess without is asked first.
   */
  guess(most: number): Promise<void> | undefined {
    if (!this.#hasRuns || !this.isDecoding) return undefined
    const { drafters = [] } = this.#parts
    this.#tellPrompt()
    for (const drafter of drafters) {
      if (drafter.prepare !== undefined) return drafter.prepare(this.#roomToGuess(most))
      if (drafter.propose(this.#step, 1) > 0) return undefined
    }
    return undefined
  }

  /** For the time while the model computes: finds what may be chosen from the rows to come. */
  foresee(): void {
    this.#tellPrompt()
    const { constraint, limits } = this.#parts
    if (constraint === undefined || this.#part.wanted === 0) return
    constraint.left = limits.budget - (this.#length - this.#parts.prompt.length)
    constraint.allowed()
  }

  /** Ids are to be chosen yet from rows of the last run, once the reader has taken what it was given. */
  get needsRows(): boolean {
    return this.#rows !== undefined
  }

  /** The rows will be gone: what was run for them is trimmed, and what they would have told is run again. */
  letRowsGo(): void {
    if (this.#rows === undefined) return
    this.#rows = undefined
    if (this.#rowsLeft > 0) this.#kv!.trim(this.#kv!.length - this.#rowsLeft)
  }

  /** Goes on in another cache, that holds the first `held` known ids: what it held before may be gone. */
  moveTo(kv: KvCache, held = 0): void {
    this.#kv = kv
    this.#part.sequence = kv
    this.#computed = held
    if (this.#prefilledAt === 0) this.#held = held
    this.#rows = undefined
  }

  /** Ends it: hands over what was held back, as soon as the reader has taken the rest. */
  async end(reason: FinishReason | undefined = this.finished): Promise<void> {
    this.finished = reason
    if (reason === 'aborted') await this.#full?.catch(() => undefined)
    else await this.#full
    await this.#parts.out.flush()
  }

  #judge(): Promise<void> | undefined {
    while (this.#rowsLeft > 0 && this.finished === undefined) {
      this.#rowsLeft--
      this.#computed++
      const guess = this.#ids[this.#computed]
      const id = this.#choose(this.#rows!.row(this.#row++), this.#rowsLeft)
      if (this.#rowsLeft === 0) break
      if (id !== guess) {
        if (this.#isForced) this.#rejected(this.#rowsLeft)
        break
      }
      if (!this.#isForced) this.drafts.accepted++
      if (this.#full !== undefined && this.finished === undefined) return this.#full.then(() => this.#goOn())
    }
    this.letRowsGo()
    return this.#full
  }

  #goOn(): Promise<void> | undefined {
    if (this.#rows === undefined) return undefined
    this.#full = undefined
    return this.#judge()
  }

  /** A prompt of thousands of ids takes drafters milliseconds: not before it runs, but beside. */
  #tellPrompt(): void {
    if (this.#untold === undefined) return
    const { drafters = [] } = this.#parts
    for (const drafter of drafters) for (const id of this.#untold) drafter.accept(id)
    this.#untold = undefined
  }

  /** Chooses an id and writes its piece. @param ahead guesses that were run beyond it */
  #choose(row: Float32Array, ahead: number): number {
    const { sampler, out, limits, drafters, constraint, prompt } = this.#parts
    if (constraint !== undefined) constraint.left = limits.budget - (this.#length - prompt.length)
    const id = sampleNext(row, sampler)
    const isStop = limits.stopIds.has(id)
    const piece = isStop ? '' : out.pieceOf(id)
    this.#trace(id, piece, { isStop, ahead })
    if (isStop) {
      this.finished = 'stop'
      return id
    }
    this.#push(id)
    this.#tellPrompt()
    if (drafters !== undefined) for (const drafter of drafters) drafter.accept(id)
    if (constraint !== undefined) this.#follow(constraint, id)
    this.#full = out.write(id, piece, sampler.logprobs)
    if (out.isStopped) this.finished = 'stop-string'
    else if (constraint?.mustEnd) this.finished = constraint.wasClosed ? limits.atBudget : 'stop'
    else if (this.#length - prompt.length >= limits.budget) this.finished = limits.atBudget
    return id
  }

  #follow(constraint: Constraint, id: number): void {
    const allowed = constraint.allowed()
    if (allowed !== undefined && 'ids' in allowed && allowed.ids.length === 1) this.forced.forced++
    constraint.accept(id)
  }

  /** Puts guesses behind the known ids. No more than may still be chosen after the id that comes without them. */
  #propose(room: number, guesses: number): number {
    const { drafters = [], constraint, jump, limits } = this.#parts
    const left = limits.budget - (this.#length - this.#parts.prompt.length) - 1
    const forced =
      constraint !== undefined && jump ? this.#proposeForced(constraint, Math.min(room, left)) : 0
    if (forced > 0) return forced
    this.#isForced = false
    const most = this.#roomToGuess(Math.min(guesses, room))
    if (most <= 0) return 0
    this.#tellPrompt()
    for (const drafter of drafters) {
      this.#reserve(this.#length + most)
      const found = drafter.propose(this.#ids.subarray(this.#length), most)
      this.drafts.drafted += found
      if (found > 0) return found
    }
    return 0
  }

  /** No more than may still be chosen after the id that comes without guesses. */
  #roomToGuess(most: number): number {
    const { limits, prompt } = this.#parts
    const left = limits.budget - (this.#length - prompt.length) - 1
    return Math.max(0, Math.min(limits.mostDrafts ?? MOST_DRAFTS, most, left))
  }

  #rejected(count: number): void {
    this.forced.rejected += count
    this.#forcedLength.judged(this.#drafts, this.#drafts - count)
    this.#isForced = false
  }

  #proposeForced(constraint: Constraint, most: number): number {
    // Of the guesses before, if they are not judged yet: all of them were chosen.
    if (this.#isForced) this.#forcedLength.judged(this.#drafts, this.#drafts)
    this.#isForced = false
    const room = Math.min(this.#forcedLength.next(), most)
    if (room <= 0) return 0
    this.#reserve(this.#length + room)
    const found = constraint.propose(this.#ids.subarray(this.#length), room)
    this.forced.drafted += found
    this.#isForced = found > 0
    return found
  }

  #prefilled(): void {
    const { prompt, onPrefill, trace } = this.#parts
    const total = prompt.length - this.#held
    onPrefill?.(this.#computed - this.#held, total)
    if (this.#computed < prompt.length) return
    this.#prefilledAt = this.#steppedAt = performance.now()
    trace?.('prefill', { tokens: total, ms: this.#prefilledAt - this.#startedAt })
  }

  #trace(id: number, piece: string, { isStop, ahead }: { isStop: boolean; ahead: number }): void {
    const now = performance.now()
    const ms = now - this.#steppedAt
    this.#parts.trace?.('token', { position: this.#kv!.length - ahead, id, piece, eos: isStop, ms })
    this.#steppedAt = now
  }

  #push(id: number): void {
    this.#reserve(this.#length + 1)
    this.#ids[this.#length++] = id
  }

  #reserve(room: number): void {
    if (room <= this.#ids.length) return
    const larger = new Int32Array(Math.max(room, 2 * this.#ids.length))
    larger.set(this.#ids)
    this.#ids = larger
  }
}

const FIRST_ROOM = 256
const MOST_DRAFTS = 8
