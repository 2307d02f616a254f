/** Preparation of a model that answered just now, for its next runs, by a process that nobody waits for. */
import { accessSync, constants, existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { makeFolder } from '../system/make-folder.ts'
import { spoutCacheFolder } from '../system/spout-cache.ts'
import type { Options } from './options.ts'
import { spawnLater } from './spawn-later.ts'

/** False where it cannot be, for a model that is not prepared answers as well, and a cache that cannot be written stays as it is. */
export async function prepareLater(options: Options): Promise<boolean> {
  try {
    const cacheFolder = spoutCacheFolder(process.env)
    makeFolder(cacheFolder, 0o700)
    accessSync(cacheFolder, constants.W_OK)
    await spawnLater(prepareWords(options))
    return true
  } catch {
    return false // No process to be had.
  }
}

/** `spout models prepare` for the model of these options, from any folder. Nothing is fetched for it. */
export function prepareWords(options: Options): string[] {
  const { dtype, threads, precise } = options
  const cacheDir = options.cacheDir === undefined ? undefined : resolve(options.cacheDir)
  const model =
    options.model !== undefined && existsSync(options.model) ? resolve(options.model) : options.model
  return [
    // Of a hundred runs in a loop one prepares; the others' processes do not stay to wait for it.
    ...['models', 'prepare', '--if-free', '--quiet', '--offline'],
    ...(dtype === undefined ? [] : ['--dtype', dtype]),
    ...(threads === undefined ? [] : ['--threads', String(threads)]),
    ...(cacheDir === undefined ? [] : ['--cache-dir', cacheDir]),
    ...(precise ? ['--precise'] : []),
    ...(model === undefined ? [] : ['--', model]),
  ]
}
