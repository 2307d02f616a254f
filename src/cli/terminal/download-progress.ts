import type { Progress } from '../../hub-cache/fetch-io.ts'
import { bytesText, secondsText } from '../../system/quantities.ts'
import { escapeText } from '../../system/text-display.ts'

// How far downloads are, on stderr. On a terminal one bar for each running file, drawn over itself; elsewhere, and on a
// terminal that cannot move its cursor, a line when a file begins, every ten seconds, and when it ends.

export interface ProgressStream {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

interface ProgressOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Milliseconds, for tests. */
  readonly now?: () => number
}

/** Shows downloads. Whoever creates it closes it. */
export interface DownloadProgress {
  onProgress(progress: Progress): void
  /** Prints a line of its own, above the bars. */
  line(text: string): void
  close(): void
}

export function createDownloadProgress(
  stderr: ProgressStream,
  { env, now = Date.now }: ProgressOptions,
): DownloadProgress {
  const moves = stderr.isTTY === true && env.TERM !== 'dumb'
  return moves ? new Bars(stderr, now) : new Lines(stderr, now)
}

const LINE_MS = 10_000
/** Bytes from which on the beginning of a download is told, too. */
const WORTH_A_LINE = 1e6

/** Progress as plain lines. */
class Lines implements DownloadProgress {
  readonly #stderr: ProgressStream
  readonly #now: () => number
  readonly #running = new Map<string, { speed: Speed; startedAt: number; toldAt: number }>()

  constructor(stderr: ProgressStream, now: () => number) {
    this.#stderr = stderr
    this.#now = now
  }

  onProgress(progress: Progress): void {
    const now = this.#now()
    const known = this.#running.get(progress.file)
    const file = known ?? { speed: new Speed(), startedAt: now, toldAt: now }
    file.speed.add(now, progress.received)
    const name = escapeText(progress.file)
    if (progress.done) {
      this.#running.delete(progress.file)
      this.line(`fetched ${name} (${bytesText(progress.total)}) in ${secondsText(now - file.startedAt)}`)
    } else if (known === undefined) {
      this.#running.set(progress.file, file)
      if (progress.total >= WORTH_A_LINE) this.line(`fetching ${name} (${bytesText(progress.total)})`)
    } else if (now - file.toldAt >= LINE_MS) {
      file.toldAt = now
      this.line(`fetching ${name}: ${figures(progress, file.speed)}`)
    }
  }

  line(text: string): void {
    this.#stderr.write(`${text}\n`)
  }

  close(): void {}
}

const DRAW_MS = 100
const CLEAR_BELOW = '\x1b[J'

/** Progress as bars that are drawn over themselves. */
class Bars implements DownloadProgress {
  readonly #stderr: ProgressStream
  readonly #now: () => number
  readonly #running = new Map<string, { progress: Progress; speed: Speed }>()
  readonly #timer: NodeJS.Timeout
  #drawnAt = Number.NEGATIVE_INFINITY
  #rows = 0

  constructor(stderr: ProgressStream, now: () => number) {
    this.#stderr = stderr
    this.#now = now
    // A download that stands still must be seen to stand still.
    this.#timer = setInterval(() => this.#draw(), 1000).unref()
  }

  onProgress(progress: Progress): void {
    const { file, received, total, done } = progress
    const speed = this.#running.get(file)?.speed ?? new Speed()
    speed.add(this.#now(), received)
    if (!done) this.#running.set(file, { progress, speed })
    else if (this.#running.delete(file)) this.line(`fetched ${escapeText(file)} (${bytesText(total)})`)
    if (this.#now() - this.#drawnAt >= DRAW_MS) this.#draw()
  }

  line(text: string): void {
    this.#stderr.write(`${this.#home()}${CLEAR_BELOW}${text}\n`)
    this.#rows = 0
    this.#draw()
  }

  close(): void {
    clearInterval(this.#timer)
    if (this.#rows > 0) this.#stderr.write(`${this.#home()}${CLEAR_BELOW}`)
    this.#rows = 0
    this.#running.clear()
  }

  /** Draws all bars in one write, and leaves the cursor below them. */
  #draw(): void {
    const now = this.#now()
    const width = Math.max(20, (this.#stderr.columns ?? 80) - 1)
    const bars = [...this.#running.values()].map(({ progress, speed }) => {
      speed.add(now, progress.received)
      return bar(progress, speed, width)
    })
    if (bars.length === 0 && this.#rows === 0) return
    this.#stderr.write(`${this.#home()}${CLEAR_BELOW}${bars.map((line) => `${line}\n`).join('')}`)
    this.#rows = bars.length
    this.#drawnAt = now
  }

  #home(): string {
    return this.#rows > 0 ? `\x1b[${this.#rows}A\r` : ''
  }
}

const SPAN_MS = 5_000

/** Bytes per second over the last seconds. */
class Speed {
  #samples: { at: number; received: number }[] = []

  add(at: number, received: number): void {
    const last = this.#samples.at(-1)
    if (last !== undefined && received < last.received) this.#samples = []
    // Chunks come by the thousand; ten samples a second are enough.
    if (this.#samples.length > 1 && at - this.#samples.at(-2)!.at < DRAW_MS) this.#samples.pop()
    this.#samples.push({ at, received })
    while (this.#samples.length > 2 && at - this.#samples[1]!.at >= SPAN_MS) this.#samples.shift()
  }

  /** `undefined` until there is something to tell. */
  get perSecond(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)]
    if (first === undefined || last === undefined || last.at - first.at < 200) return undefined
    return ((last.received - first.received) * 1000) / (last.at - first.at)
  }
}

/** One line of at most `width` characters: name, bar, size, speed, time left. */
function bar(progress: Progress, speed: Speed, width: number): string {
  const told = figures(progress, speed)
  const room = width - told.length - 3
  const length = Math.max(0, Math.min(24, Math.floor(room / 2)))
  const filled = Math.floor(length * shareOf(progress))
  const drawn = length >= 6 ? ` ${'#'.repeat(filled)}${'-'.repeat(length - filled)}` : ''
  const name = tail(narrow(progress.file), Math.max(8, room - drawn.length + 1))
  return `${name}${drawn} ${told}`.slice(0, width)
}

/** `45%  512 MB/1.1 GB  23.1 MB/s  25 s` */
function figures({ received, total }: Size, speed: Speed): string {
  const perSecond = speed.perSecond
  const percent = Math.floor(100 * shareOf({ received, total }))
  const rate = perSecond === undefined ? '' : `  ${bytesText(perSecond)}/s`
  const left = perSecond ? `  ${secondsText((1000 * Math.max(0, total - received)) / perSecond)}` : ''
  return `${percent}%  ${bytesText(received)}/${bytesText(total)}${rate}${left}`
}

type Size = Pick<Progress, 'received' | 'total'>

/** What part of a file is here, 0 to 1. */
function shareOf({ received, total }: Size): number {
  return total > 0 ? Math.min(1, received / total) : 1
}

/** A name in characters that are one column wide each, whatever the terminal. */
function narrow(name: string): string {
  return escapeText(name).replace(/[^\x20-\x7e]/gu, '?')
}

/** The end of a path, which tells files apart. */
function tail(text: string, room: number): string {
  return text.length <= room ? text.padEnd(room) : `…${text.slice(text.length - room + 1)}`
}
