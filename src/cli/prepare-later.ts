/**
 * Preparation of a model that answered just now, for its next runs. A process of its own does it, at the lowest priority:
 * the answer is out, and the shell has its prompt back.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { makeFolder } from '../system/make-folder.ts'
import { ownCacheFolder } from '../system/own-cache.ts'
import { PACKAGE_ROOT } from '../system/package-root.ts'
import type { Options } from './options.ts'

const LOWEST_PRIORITY = 19

/** Never throws: a model that is not prepared answers as well, and a cache that cannot be written stays as it is. */
export function prepareLater(options: Options): void {
  try {
    const cacheFolder = ownCacheFolder(process.env)
    makeFolder(cacheFolder, 0o700)
    accessSync(cacheFolder, constants.W_OK)
    const child = spawn(process.execPath, [join(PACKAGE_ROOT, 'bin/spout.js'), ...prepareWords(options)], {
      detached: true,
      stdio: 'ignore',
      windowsHide: true,
    })
    child.on('error', () => undefined)
    child.unref()
    if (child.pid !== undefined) setPriority(child.pid, LOWEST_PRIORITY)
  } catch {
    // No process to be had.
  }
}

/** `spout models prepare` for the model of these options. Nothing is fetched for it. */
export function prepareWords({ model, dtype, threads, cacheDir, precise }: Options): string[] {
  return [
    ...['models', 'prepare', '--quiet', '--offline'],
    ...(dtype === undefined ? [] : ['--dtype', dtype]),
    ...(threads === undefined ? [] : ['--threads', String(threads)]),
    ...(cacheDir === undefined ? [] : ['--cache-dir', cacheDir]),
    ...(precise ? ['--precise'] : []),
    ...(model === undefined ? [] : ['--', model]),
  ]
}
