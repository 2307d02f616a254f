/**
 * Preparation of a model that answered just now, for its next runs. A process of its own does it, at the lowest priority:
 * the answer is out, and the shell has its prompt back.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { setPriority } from 'node:os'
import { join, resolve } from 'node:path'
import { makeFolder } from '../system/make-folder.ts'
import { PACKAGE_ROOT } from '../system/package-root.ts'
import { spoutCacheFolder } from '../system/spout-cache.ts'
import { stdioOfNobody } from './inherited-descriptors.ts'
import type { Options } from './options.ts'

const LOWEST_PRIORITY = 19

/** Never throws: a model that is not prepared answers as well, and a cache that cannot be written stays as it is. */
export function prepareLater(options: Options): void {
  try {
    const cacheFolder = spoutCacheFolder(process.env)
    makeFolder(cacheFolder, 0o700)
    accessSync(cacheFolder, constants.W_OK)
    const child = spawn(process.execPath, [join(PACKAGE_ROOT, 'bin/spout.js'), ...prepareWords(options)], {
      detached: true,
      cwd: '/',
      env: fromAnywhere(process.env),
      stdio: stdioOfNobody(),
      windowsHide: true,
    })
    child.on('error', () => undefined)
    child.unref()
    if (child.pid !== undefined) setPriority(child.pid, LOWEST_PRIORITY)
  } catch {
    // No process to be had.
  }
}

/** Folders that a variable may name, seen from where this process was started. */
const FOLDERS = [
  'SPOUT_CACHE_DIR',
  'XDG_CACHE_HOME',
  'XDG_CONFIG_HOME',
  'HF_HUB_CACHE',
  'HUGGINGFACE_HUB_CACHE',
  'HF_HOME',
]

/** The environment for a process that stands elsewhere: one that stayed would keep a disk from being taken out. */
function fromAnywhere(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const changed = FOLDERS.flatMap((name): [string, string][] => {
    const value = env[name]
    return value && /^[^/~$]/.test(value) ? [[name, resolve(value)]] : []
  })
  return { ...env, ...Object.fromEntries(changed) }
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
