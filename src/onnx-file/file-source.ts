/** A window over an open file: the headers between the weights are read, the weights are not. */
import { closeSync, readSync } from 'node:fs'
import { openRegular } from '../system/regular-file.ts'
import type { ByteSource } from './wire.ts'

/** Reads a file through a window of so many bytes. @throws what the file system says. */
export function withFileSource<T>(
  path: string,
  { size, window }: { readonly size: number; readonly window: number },
  read: (source: ByteSource) => T,
): T {
  const file = openRegular(path)
  try {
    return read(fileSource(file, size, window))
  } finally {
    closeSync(file)
  }
}

function fileSource(file: number, size: number, window: number): ByteSource {
  const memory = new Uint8Array(Math.min(size, window))
  return {
    size,
    window: memory.subarray(0, 0),
    base: 0,
    load(start, end) {
      if (start >= this.base && end <= this.base + this.window.length) return
      this.window = memory.subarray(0, readSync(file, memory, 0, memory.length, start))
      this.base = start
    },
    read(start, end) {
      if (end - start > memory.length) {
        const whole = new Uint8Array(end - start)
        return whole.subarray(0, readSync(file, whole, 0, whole.length, start))
      }
      this.load(start, end)
      return this.window.subarray(start - this.base, end - this.base)
    },
  } as Mutable<ByteSource>
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
