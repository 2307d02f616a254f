import { closeSync } from 'node:fs'
import { openRegular } from './regular-file.ts'

/** Runs `use` on the opened file, a regular one, and closes it. */
export function withFile<T>(path: string, use: (handle: number) => T): T {
  const handle = openRegular(path)
  try {
    return use(handle)
  } finally {
    closeSync(handle)
  }
}
