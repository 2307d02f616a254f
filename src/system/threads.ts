/** How many threads a session takes when nobody says: one per physical core that this process may use. */
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Decoding waits for memory, and two threads of one core wait for the same: more threads than cores make it slower. */
export function defaultThreads(): number {
  return Math.max(1, Math.min(availableParallelism(), physicalCores() ?? availableParallelism()))
}

/** Linux says which logical processors share a core. Elsewhere the answer is unknown. */
function physicalCores(root = '/sys/devices/system/cpu'): number | undefined {
  try {
    const processors = readdirSync(root).filter((name) => /^cpu\d+$/.test(name))
    const cores = processors.map((name) =>
      readFileSync(`${root}/${name}/topology/thread_siblings_list`, 'utf8'),
    )
    return new Set(cores).size || undefined
  } catch {
    return undefined
  }
}
