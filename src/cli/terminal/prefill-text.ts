import { secondsText } from '../../system/quantities.ts'

/** Waits shorter than this are not worth a number. */
const LONG_MS = 1000

/** How far the reading of a prompt is, with the time left when all of it takes long. */
export function prefillText(done: number, total: number, elapsedMs: number): string {
  const wholeMs = (elapsedMs * total) / done
  if (done === 0 || done >= total || wholeMs < LONG_MS) return 'reading the prompt'
  return `reading the prompt: ${done} of ${total} tokens, about ${secondsText(Math.max(1000, wholeMs - elapsedMs))} left`
}

/** The same as a listener of the engine's: the clock starts when it first hears of a prompt. */
export function makePrefillListener(show: (text: string) => void): (done: number, total: number) => void {
  let startedAt: number | undefined
  let before = 0
  return (done, total) => {
    const now = performance.now()
    if (done === 0 || startedAt === undefined) {
      startedAt = now
      before = done
    }
    show(prefillText(done - before, total - before, now - startedAt))
  }
}
