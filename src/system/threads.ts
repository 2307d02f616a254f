/** How many threads a session takes when nobody says, and which numbers make no sense here. */
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { cpuQuota } from './control-group.ts'

/**
 * One per physical core that this process may use, and no more than its container may keep busy. Decoding waits for memory,
 * and two threads of one core wait for the same. With more threads than processor time they wait for each other, and spin.
 */
export function defaultThreads(): number {
  return threadsFor({
    processors: availableParallelism(),
    cores: physicalCores(),
    quota: cpuQuota(),
  })
}

interface ProcessorLimits {
  /** Logical processors that this process may run on. */
  readonly processors: number
  /** Physical cores among them, where that is known. */
  readonly cores: number | undefined
  /** Processors' worth of time that the container gets, where it is limited. */
  readonly quota: number | undefined
}

export function threadsFor({ processors, cores = processors, quota = processors }: ProcessorLimits): number {
  return Math.max(1, Math.min(processors, cores, Math.floor(quota)))
}

/** Up to so many threads per processor are slow, and taken for what was meant; more hang the machine. */
const MOST_PER_PROCESSOR = 8

/** What is wrong with so many threads here: `many` are slower than fewer, an `absurd` number is a mistake. */
export function judgeThreads(
  threads: number,
  processors = availableParallelism(),
): 'fine' | 'many' | 'absurd' {
  if (threads > MOST_PER_PROCESSOR * processors) return 'absurd'
  return threads > processors ? 'many' : 'fine'
}

/** Linux says which logical processors share a core, and which this process may use. Elsewhere the answer is unknown. */
function physicalCores(root = '/sys/devices/system/cpu'): number | undefined {
  try {
    const allowed = allowedProcessors(readFileSync('/proc/self/status', 'utf8'))
    const processors = readdirSync(root).filter(
      (name) => /^cpu\d+$/.test(name) && allowed(Number(name.slice(3))),
    )
    const cores = processors.map((name) =>
      readFileSync(`${root}/${name}/topology/thread_siblings_list`, 'utf8'),
    )
    return new Set(cores).size || undefined
  } catch {
    return undefined
  }
}

/** Whether a process may run on a processor, by the line `Cpus_allowed_list: 0-3,8` of its status. */
export function allowedProcessors(status: string): (processor: number) => boolean {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1]
  if (list === undefined) return () => true
  const ranges = list.split(',').map((range) => range.split('-').map(Number))
  return (processor) => ranges.some(([first, last = first]) => processor >= first! && processor <= last!)
}
