/**
 * A job that outlives its terminal, as `nohup` starts it. Node takes back what the parent had ignored before any code of
 * ours runs, so the promise of nohup is told by where the streams lead: none to a terminal, and the output to a file. A
 * pipe has somebody at its other end, who is gone when the terminal is.
 */
import { fstatSync, type Stats, statSync } from 'node:fs'

export const outlivesTerminal: boolean =
  statusOf(1)?.isFile() === true && ![0, 2].some((descriptor) => mayBeTerminal(statusOf(descriptor)))

/** From now on SIGHUP does nothing to such a job. */
export function ignoreHangup(): void {
  if (outlivesTerminal) process.on('SIGHUP', () => undefined)
}

/** A device that is not the null device. To ask the system itself takes a module that takes long to load. */
function mayBeTerminal(status: Stats | undefined): boolean {
  if (!status?.isCharacterDevice()) return false
  return status.rdev !== statSync('/dev/null', { throwIfNoEntry: false })?.rdev
}

function statusOf(descriptor: number): Stats | undefined {
  try {
    return fstatSync(descriptor)
  } catch {
    return undefined
  }
}
