/** Budgets that a busy machine does not break: time on the processor, not on the clock. */
import { readFileSync } from 'node:fs'

/** What it gives: milliseconds of processor time that this process took from now on, all its threads. */
export function processorTime(): () => number {
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
}

/** Of a clock tick in /proc, on every Linux that Node runs on. */
const TICK_MS = 10

/** Milliseconds of processor time of another process until now; `undefined` where it is gone, or the system does not tell. */
function processorMsOf(pid: number): number | undefined {
  try {
    // The name before them may hold blanks and parentheses.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return TICK_MS * (Number(fields[11]) + Number(fields[12]))
  } catch {
    return undefined
  }
}

/** Starts to watch a process. What it gives: the processor time that it took from now on, as far as was seen. */
export function watchProcessor(pid: number): () => number {
  const before = processorMsOf(pid) ?? 0
  let last = before
  const look = (): void => {
    last = processorMsOf(pid) ?? last
  }
  const timer = setInterval(look, 20)
  return () => {
    clearInterval(timer)
    look()
    return last - before
  }
}
