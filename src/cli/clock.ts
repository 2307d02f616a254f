/** `--timeout` ends the run as a signal would, wherever it is. */
import { SpoutError } from '../errors.ts'
import { errorDocument } from '../output/json-document.ts'
import { toJson } from '../system/text-display.ts'
import type { Context } from './context.ts'
import type { Options } from './options.ts'

/** Time to deliver what there is. A measurement writes a report. */
const PATIENCE_MS = 700
const REPORT_MS = 60_000
/** Beyond that the other thread ends the process. */
const GRACE_MS = 2000

/** @param error what the end of the time is, where it is no failure of the run */
export async function startClock(
  options: Options,
  { interrupts, giveUp, timeIsOver }: Context,
  error = new SpoutError('timeout', `timeout: not done after ${options.timeout} s`),
): Promise<void> {
  const { timeout, bench } = options
  if (timeout === undefined) return
  const ms = 1000 * timeout
  const patienceMs = bench ? REPORT_MS : PATIENCE_MS
  const { startWatchdog } = await import('../system/watchdog.ts')
  const watchdog = startWatchdog({
    ms,
    graceMs: patienceMs + GRACE_MS,
    code: error.exitCode,
    stderr: `spout: error: ${error.message}\n`,
    stdout: jsonOf(error, options),
  })
  const expired = (): void => {
    if (!watchdog.heard()) return
    timeIsOver.mayTell = () => watchdog.tells()
    interrupts.abort(error)
    setTimeout(() => giveUp(error), patienceMs).unref()
  }
  setTimeout(expired, ms).unref()
}

function jsonOf(error: SpoutError, { json, jsonl }: Options): string {
  if (!json && !jsonl) return ''
  return `${toJson({ ...(jsonl ? { event: 'error' } : {}), ...errorDocument(error) })}\n`
}
