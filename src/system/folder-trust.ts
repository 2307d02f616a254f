/**
 * Whether a folder is ours alone. What lies in it may then be believed as far as our own writing is: nobody but this user
 * and root can change it, or put another folder in its place.
 */
import { lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs'
import { dirname, join, parse, resolve, sep } from 'node:path'
import { isOurs } from './regular-file.ts'

const MOST_LINKS = 40

/**
 * Whether only this user and root can write to `folder` and to what leads there. Of one that is not there yet: whether it
 * can be made so. True on systems whose files have no owners.
 */
export function isOursAlone(folder: string): boolean {
  if (process.geteuid === undefined) return true
  try {
    return isSafeWay(resolve(folder), 0)
  } catch {
    return false
  }
}

/** Whether the way to `folder` ends at one that may not be entered, as the home of another user: then it tells nothing of others. */
export function isOutOfReach(folder: string): boolean {
  try {
    lstatSync(folder)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES'
  }
}

/** Walks a path from its root: each folder on the way, and each link. */
function isSafeWay(path: string, links: number): boolean {
  const { root } = parse(path)
  const parts = path.slice(root.length).split(sep).filter(Boolean)
  let at = root
  for (const [i, part] of parts.entries()) {
    if (!mayLeadOn(lstatSync(at))) return false
    at = join(at, part)
    const status = lstatSync(at, { throwIfNoEntry: false })
    if (status === undefined) return true
    if (!status.isSymbolicLink()) continue
    if (!isTrusted(status) || links >= MOST_LINKS) return false
    return isSafeWay(resolve(dirname(at), readlinkSync(at), ...parts.slice(i + 1)), links + 1)
  }
  const status = lstatSync(at)
  return status.isDirectory() && isTrusted(status) && !isSharedWriting(status)
}

/** A folder on the way: who may write to it could put another in the place of ours, except in a sticky one. */
function mayLeadOn(status: Stats): boolean {
  const isSticky = (status.mode & 0o1000) !== 0
  return (
    status.isDirectory() &&
    (isTrusted(status) || isUnmapped(status)) &&
    (isSticky || !isSharedWriting(status))
  )
}

function isTrusted({ uid }: Stats): boolean {
  return uid === 0 || isOurs(uid)
}

/** Writable by others. A group with the user's own number is the user's alone, as distributions make them. */
function isSharedWriting({ mode, gid }: Stats): boolean {
  const isOwnGroup = gid === process.getegid?.() && gid === process.geteuid?.()
  return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && !isOwnGroup && gid !== 0)
}

const OVERFLOW_UID = 65534

/** In a namespace of users, what belongs to the system outside it has no owner here. */
function isUnmapped({ uid }: Stats): boolean {
  if (uid !== OVERFLOW_UID) return false
  return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'))
}
