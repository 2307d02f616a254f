import { availableParallelism } from 'node:os'
import { SpoutError } from '../errors.ts'
import { defaultThreads, judgeThreads } from './threads.ts'

interface ThreadsWanted {
  readonly threads?: number | undefined
  readonly note?: ((text: string, level: 'info' | 'warning') => void) | undefined
}

/** The threads of a session. @throws SpoutError `usage` for a number that would hang the machine. */
export function chooseThreads({ threads, note }: ThreadsWanted): number {
  if (threads === undefined) return defaultThreads()
  checkThreads(threads)
  if (judgeThreads(threads) === 'many') {
    note?.(
      `${threads} threads on ${processors()} wait for each other: ${defaultThreads()} would be faster`,
      'warning',
    )
  }
  return threads
}

/** @throws SpoutError `usage` for a number that would hang the machine. */
export function checkThreads(threads: number): number {
  if (judgeThreads(threads) !== 'absurd') return threads
  throw new SpoutError('usage', `${threads} threads would hang this machine of ${processors()}`, {
    hint: `--threads ${defaultThreads()}, or leave it out`,
  })
}

function processors(): string {
  const count = availableParallelism()
  return count === 1 ? '1 processor' : `${count} processors`
}
