import { closeSync } from 'node:fs'
import { openRegular, type RegularFileOptions } from './regular-file.ts'

/** Runs `use` on the opened file, a regular one, and closes it. */
export function withFile<T>(path: string, use: (handle: number) => T, options: RegularFileOptions = {}): T {
  const handle = openRegular(path, options)
  try {
    return use(handle)
  } finally {
    closeSync(handle)
  }
}
