/** One process at a time writes an output. */
import { readFileSync } from 'node:fs'
import { SpoutError } from '../errors.ts'
import { acquireLock } from '../system/file-lock.ts'
import { lifeOf } from '../system/process-identity.ts'
import { quote } from '../system/text-display.ts'

/** A holder on another machine that has not touched its lock for so long is dead. */
const STALE_MS = 60_000
const TOUCH_MS = 5_000

export interface OutputLock {
  release(): void
}

interface OutputLockOptions {
  readonly signal: AbortSignal
  readonly note: (text: string) => void
}

/**
 * @param name as messages call the output
 * @throws SpoutError `try-later` while another process of this machine writes it; one elsewhere is waited for.
 */
export async function lockOutput(
  path: string,
  name: string,
  { signal, note }: OutputLockOptions,
): Promise<OutputLock> {
  const life = lifeOf(holderOf(path))
  if (life === 'alive' || life === 'self') {
    throw new SpoutError('try-later', `${quote(name, 200)}: another process writes it`, {
      hint: 'wait for it, or write elsewhere',
    })
  }
  const lock = await acquireLock(path, {
    patience: { pollMs: 500, lockStaleMs: STALE_MS, noticeMs: 2_000 },
    signal,
    isDone: () => false,
    onWait: () => note(`${path}: waiting for a process elsewhere that may still write the output`),
  })
  const timer = setInterval(() => lock?.touch(), TOUCH_MS)
  timer.unref()
  return {
    release() {
      clearInterval(timer)
      lock?.release()
    },
  }
}

function holderOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
