/**
 * How busy the machine was with others while a sample was taken: all its processors' busy time, less our own. On Linux the time
 * that a hypervisor gave to other machines counts too.
 */
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** Processor time in milliseconds. */
interface Reading {
  readonly at: number
  readonly busyMs: number
  readonly ownMs: number
}

/** Above this share of all processors, a pair is marked. Ticks are 10 ms, so a sample of 300 ms is read to some percent. */
export const FOREIGN_SHARE = 0.1

interface LoadWatch {
  /**
   * The share of all processors that others used since it was made, 0 to 1.
   * @param elseMs processor time of processes of ours that this one does not count.
   */
  foreignShare(elseMs?: number): number
}

export function watchLoad(): LoadWatch {
  const from = read()
  return {
    foreignShare(elseMs = 0) {
      const to = read()
      const room = (to.at - from.at) * cpus().length
      const foreign = to.busyMs - from.busyMs - (to.ownMs - from.ownMs) - elseMs
      return room > 0 ? Math.min(1, Math.max(0, foreign / room)) : 0
    },
  }
}

function read(): Reading {
  const { user, system } = process.cpuUsage()
  return { at: performance.now(), busyMs: linuxBusyMs() ?? anyBusyMs(), ownMs: (user + system) / 1000 }
}

/** The first line of /proc/stat, in hundredths of a second: user, nice, system, idle, iowait, irq, softirq, steal. */
function linuxBusyMs(): number | undefined {
  try {
    const fields = readFileSync('/proc/stat', 'utf8')
      .split('\n', 1)[0]!
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number)
    const busy = [0, 1, 2, 5, 6, 7].reduce((sum, field) => sum + (fields[field] ?? 0), 0)
    return Number.isFinite(busy) ? 10 * busy : undefined
  } catch {
    return undefined
  }
}

function anyBusyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0)
}
