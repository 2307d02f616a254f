/** What a path of an output leads to, as a shell's `>` would find it. */
import { lstatSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'

export type OutputTarget =
  /** A descriptor of a process: /dev/stdout, /dev/fd/3, /proc/self/fd/1. Opened, never replaced. */
  | { readonly kind: 'descriptor'; readonly path: string; readonly own: number | undefined }
  /** A file, or the place where one may be made: every link on the way is resolved, one that dangles too. */
  | { readonly kind: 'file'; readonly path: string; readonly old: Stats | undefined }
  /** A device, a pipe or a socket: it has no old content. */
  | { readonly kind: 'device'; readonly path: string; readonly status: Stats }

/** As the kernel counts them. */
const MOST_LINKS = 40

/** @throws what the file system says, EISDIR for a folder. */
export function findOutput(path: string): OutputTarget {
  if (/[\\/]$/.test(path)) throw asFolder(path)
  let at = path
  for (let links = 0; links <= MOST_LINKS; links++) {
    const folder = realpathSync(dirname(at))
    const here = join(folder, basename(at))
    const owner = descriptorOwner(here)
    if (owner !== undefined) return { kind: 'descriptor', path: here, ...owner }
    const status = lstatSync(here, { throwIfNoEntry: false })
    if (status?.isSymbolicLink() !== true) return plainTarget(here, status)
    const link = readlinkSync(here)
    // Not joined: `..` after a link is for the system to follow.
    at = isAbsolute(link) ? link : `${folder}/${link}`
  }
  throw failure('ELOOP')
}

function plainTarget(path: string, status: Stats | undefined): OutputTarget {
  if (status?.isDirectory()) throw failure('EISDIR')
  if (status === undefined || status.isFile()) return { kind: 'file', path, old: status }
  return { kind: 'device', path, status }
}

/** A name that ends with a slash can only be a folder's. */
function asFolder(path: string): Error {
  const status = statSync(path, { throwIfNoEntry: false })
  return failure(status === undefined || status.isDirectory() ? 'EISDIR' : 'ENOTDIR')
}

/** Whose descriptor a path names: one of ours by its number, or another process's. */
function descriptorOwner(path: string): { readonly own: number | undefined } | undefined {
  const found = /^(?:\/dev\/fd|\/proc\/(\d+)(?:\/task\/\d+)?\/fd)\/(\d+)$/.exec(path)
  if (found === null) return undefined
  const isOwn = found[1] === undefined || Number(found[1]) === process.pid
  return { own: isOwn ? Number(found[2]) : undefined }
}

function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code })
}
