/** Silences libraries that write to file descriptor 2 by themselves, for the time of one call. */

import { closeSync, openSync } from 'node:fs'
import koffi from 'koffi'
import './native-stack.ts'

/** Runs `work`, which must not wait, with descriptor 2 closed to native code. Elsewhere than on Linux and macOS it just runs. */
export function withoutNativeStderr<T>(work: () => T): T {
  const calls = openCalls()
  const saved = calls?.dup(2) ?? -1
  if (calls === undefined || saved < 0) return work()
  const nowhere = openSync('/dev/null', 'w')
  try {
    calls.dup2(nowhere, 2)
    return work()
  } finally {
    calls.dup2(saved, 2)
    closeSync(nowhere)
    calls.close(saved)
  }
}

interface Calls {
  dup(file: number): number
  dup2(from: number, to: number): number
  close(file: number): number
}

function openCalls(): Calls | undefined {
  if (process.platform === 'win32') return undefined
  try {
    const library = koffi.load(null)
    const calls = {
      dup: library.func('int dup(int)'),
      dup2: library.func('int dup2(int, int)'),
      close: library.func('int close(int)'),
    }
    return calls
  } catch {
    return undefined
  }
}
