import { readFileSync } from 'node:fs'
import { freemem } from 'node:os'
import { memoryLeft } from './control-group.ts'

/** Bytes that can be had without swapping, of the machine and within the container: the system's own estimate where it has one. */
export function availableMemory(): number {
  return Math.min(machineMemory(), memoryLeft() ?? Number.POSITIVE_INFINITY)
}

function machineMemory(): number {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
    if (kilobytes !== undefined) return 1024 * Number(kilobytes)
  } catch {
    // not Linux
  }
  return freemem()
}
