import { closeSync, openSync } from 'node:fs'

/** Runs `use` on the opened file and closes it. */
export function withFile<T>(path: string, use: (handle: number) => T): T {
  const handle = openSync(path, 'r')
  try {
    return use(handle)
  } finally {
    closeSync(handle)
  }
}
