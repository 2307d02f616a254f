/**
 * Bytes that JavaScript allocates, counted across collections: the heap grows from the end of one to the beginning of the
 * next. Array buffers lie outside the heap and may be freed at any time in between, so of those at least so many are counted.
 */
import { GCProfiler, getHeapStatistics } from 'node:v8'

interface Heap {
  readonly used: number
  readonly external: number
}

interface AllocationCount {
  /** Bytes since it was made. */
  stop(): number
}

export function countAllocation(): AllocationCount {
  const profiler = new GCProfiler()
  const from = heapNow()
  profiler.start()
  return {
    stop() {
      const to = heapNow()
      const collections = profiler.stop()?.statistics ?? []
      const before = [...collections.map(({ beforeGC }) => heapOf(beforeGC.heapStatistics)), to]
      const after = [from, ...collections.map(({ afterGC }) => heapOf(afterGC.heapStatistics))]
      return before.reduce((bytes, heap, i) => bytes + grown(after[i]!, heap), 0)
    },
  }
}

function grown(from: Heap, to: Heap): number {
  return Math.max(0, to.used - from.used) + Math.max(0, to.external - from.external)
}

function heapNow(): Heap {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return { used: used_heap_size, external: external_memory }
}

function heapOf(statistics: { readonly usedHeapSize: number; readonly externalMemory: number }): Heap {
  return { used: statistics.usedHeapSize, external: statistics.externalMemory }
}
