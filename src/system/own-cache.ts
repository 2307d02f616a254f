/** What this program keeps of its own making: where it lies, and how it is written. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

export type Environment = Readonly<Record<string, string | undefined>>

/** Where this program keeps what it makes itself: $SPOUT_CACHE_DIR, else $XDG_CACHE_HOME/spout, else ~/.cache/spout. */
export function ownCacheFolder(env: Environment): string {
  if (env.SPOUT_CACHE_DIR) return resolve(env.SPOUT_CACHE_DIR)
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'spout')
}

export interface WriteWholeOptions {
  /** Waits until the disk has it. Default true; a file that says itself whether it is whole need not. */
  readonly flush?: boolean
}

/** Writes a file under another name first, so that nobody sees half of it. @throws what the file system says. */
export function writeWhole(path: string, bytes: Uint8Array, { flush = true }: WriteWholeOptions = {}): void {
  const unfinished = `${path}.${process.pid}.${Math.random().toString(36).slice(2, 10)}`
  try {
    writeFileSync(unfinished, bytes, { flag: 'wx', flush })
    renameSync(unfinished, path)
  } catch (error) {
    rmSync(unfinished, { force: true })
    throw error
  }
}
