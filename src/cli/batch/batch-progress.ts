/** What there is to say of a batch while it runs and at its end, on stderr. */
import type { Outcome } from '../../batch/outcome.ts'
import type { InputRecord } from '../../batch/records.ts'
import type { BatchObserver } from '../../batch/run-batch.ts'
import { bytesText, durationText, secondsText } from '../../system/quantities.ts'
import { writeLine } from '../terminal/messages.ts'
import type { StatusLine } from '../terminal/status-line.ts'

interface ProgressOptions {
  /** Of the whole input, where it is known. */
  readonly bytes: number | undefined
  /** Makes a line for the status: what is written beside it ends the one before. */
  readonly openStatus: () => StatusLine
  readonly quiet: boolean
  readonly now?: () => number
}

/** Errors that are told one by one; the others are in the output. */
const MOST_TOLD = 5
const SHOW_MS = 200

export class BatchProgress implements BatchObserver {
  readonly #options: ProgressOptions
  readonly #now: () => number
  #status: StatusLine | undefined
  #startedAt: number | undefined
  #shownAt = Number.NEGATIVE_INFINITY
  #kept = 0
  #answered = 0
  #repeats = 0
  #errors = 0
  #promptTokens = 0
  #tokens = 0
  /** Bytes of the input that a run before had done, and that are done. */
  #keptBytes = 0
  #doneBytes = 0

  constructor(options: ProgressOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
  }

  /** The model is there: from now on it is computing. */
  start(): void {
    this.#startedAt ??= this.#now()
  }

  kept({ after }: InputRecord): void {
    this.#kept++
    this.#keptBytes = Math.max(this.#keptBytes, after)
  }

  done({ task, answer, error, isRepeat = false }: Outcome): void {
    this.#doneBytes = Math.max(this.#doneBytes, task.record.after)
    if (answer !== undefined) this.#answered++
    if (answer !== undefined && !isRepeat) {
      this.#promptTokens += answer.promptTokens
      this.#tokens += answer.completionTokens
    }
    if (isRepeat) this.#repeats++
    if (error !== undefined) this.#tell(task.record.line, error.message)
    if (this.#now() - this.#shownAt < SHOW_MS) return
    this.#shownAt = this.#now()
    this.#status ??= this.#options.openStatus()
    this.#status.show(this.line())
  }

  #tell(line: number, message: string): void {
    this.#errors++
    if (this.#options.quiet || this.#errors > MOST_TOLD + 1) return
    this.clear()
    writeLine(this.#errors <= MOST_TOLD ? `line ${line}: ${message}` : 'more errors are in the output')
  }

  /** Takes the status line away. */
  clear(): void {
    this.#status?.clear()
    this.#status = undefined
  }

  /** As in `412 lines, 3 errors, 51.2 tokens/s, 41 %, about 3 min left`. */
  line(): string {
    const { bytes } = this.#options
    const parts = [count(this.#kept + this.#answered + this.#errors, 'line')]
    if (this.#errors > 0) parts.push(count(this.#errors, 'error'))
    const elapsed = this.#elapsedMs()
    if (elapsed > 0 && this.#tokens > 0)
      parts.push(`${((1000 * this.#tokens) / elapsed).toFixed(1)} tokens/s`)
    const at = Math.max(this.#doneBytes, this.#keptBytes)
    const gained = at - this.#keptBytes
    if (bytes !== undefined && bytes > 0) {
      parts.push(`${Math.floor((100 * at) / bytes)} %`)
      const left = gained > 0 ? (elapsed * (bytes - at)) / gained : undefined
      if (left !== undefined && elapsed > 1000) parts.push(`about ${secondsText(Math.max(1000, left))} left`)
    }
    return parts.join(', ')
  }

  /** The block of `--stats`. */
  lines(model: string): string[] {
    const elapsed = this.#elapsedMs()
    const rate = (tokens: number): string =>
      elapsed > 0 ? `, ${((1000 * tokens) / elapsed).toFixed(1)} tokens/s` : ''
    return [
      `model     ${model}`,
      `lines     ${this.#answered} answered, ${this.#errors} with errors, ${this.#kept} from before`,
      ...(this.#repeats > 0
        ? [`repeated  ${count(this.#repeats, 'line')}: equal ones were computed once`]
        : []),
      `prompts   ${count(this.#promptTokens, 'token')}`,
      `answers   ${count(this.#tokens, 'token')}${rate(this.#tokens)}`,
      `time      ${durationText(elapsed)} since the model was there`,
      `memory    ${bytesText(process.resourceUsage().maxRSS * 1024)} at most`,
    ]
  }

  #elapsedMs(): number {
    return this.#startedAt === undefined ? 0 : this.#now() - this.#startedAt
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
