/** Waits shorter than this are not worth a number. */
const LONG_MS = 1000

/** How far the reading of a prompt is, with the time left when all of it takes long. */
export function prefillText(done: number, total: number, elapsedMs: number): string {
  const wholeMs = (elapsedMs * total) / done
  if (done === 0 || done >= total || wholeMs < LONG_MS) return 'reading the prompt'
  return `reading the prompt: ${done} of ${total} tokens, about ${duration(wholeMs - elapsedMs)} left`
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

function duration(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`
}
