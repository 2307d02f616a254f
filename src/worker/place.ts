/**
 * Where workers listen: sockets in a folder that only this user may enter. Whoever could put a socket there would be asked in the
 * worker's place, and told every prompt; so both ends look at the folder and the socket, and do without where they are not ours.
 */
import { lstatSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { isOursAlone } from '../system/folder-trust.ts'
import { makeFolder } from '../system/make-folder.ts'
import { orNothing } from '../system/or-nothing.ts'
import { isOurs } from '../system/regular-file.ts'
import { spoutCacheFolder } from '../system/spout-cache.ts'
import type { Environment } from '../system/user-paths.ts'

/** Bytes of a path that every system takes; Linux would listen at one that is cut without a word. */
const LONGEST_PATH = 103
const ENDING = '.sock'

/** A folder for sockets, or why there is none. */
export type WorkerFolder = { readonly path: string } | { readonly why: string }

/** Where workers of this user would be. Nothing is looked at, and nothing made. */
export function workerFolder(env: Environment): string {
  const { XDG_RUNTIME_DIR: runtime } = env
  return runtime && isAbsolute(runtime) ? join(runtime, 'spout') : join(spoutCacheFolder(env), 'workers')
}

/** The same, found to be ours alone. @param options.make where it is not there yet */
export function openWorkerFolder(env: Environment, { make = false } = {}): WorkerFolder {
  if (process.platform === 'win32') return { why: 'there are no workers on Windows' }
  const path = workerFolder(env)
  if (make && isOursAlone(path)) orNothing(() => makeFolder(path, 0o700))
  const status = orNothing(() => lstatSync(path))
  if (status === undefined) return { why: `${path} is not there` }
  const isPrivate = status.isDirectory() && isOurs(status.uid) && (status.mode & 0o077) === 0
  return isPrivate && isOursAlone(path) ? { path } : { why: `${path} is not for this user alone` }
}

/** The socket of the worker with that key. */
export function socketPath(folder: string, key: string): string {
  return join(folder, `${key}${ENDING}`)
}

export function fitsSocket(path: string): boolean {
  return Buffer.byteLength(path) <= LONGEST_PATH
}

/** The key of a socket's name; `undefined` for other files. */
export function keyOfName(name: string): string | undefined {
  return /^([0-9a-f]{32})\.sock$/.exec(name)?.[1]
}

/** Whether a socket is this user's, and for nobody else. */
export function isOwnSocket(path: string): boolean {
  const status = orNothing(() => lstatSync(path))
  return status?.isSocket() === true && isOurs(status.uid) && (status.mode & 0o077) === 0
}
