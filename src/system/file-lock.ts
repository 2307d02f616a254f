import {
  closeSync,
  existsSync,
  fchmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HeldFolder } from './held-folder.ts'
import { orNothing } from './or-nothing.ts'
import { lifeOf, newIdentity } from './process-identity.ts'
import { readRegular } from './regular-file.ts'

// An advisory lock, so that of sixteen processes that want one file one downloads it and the others wait. Nothing
// depends on it: whoever waits in vain, or cannot lock at all, downloads to a file of his own. The holder touches
// the lock as bytes arrive; one that is dead or has stalled loses it. A link, a pipe or a folder in its place is no lock.

/** How long another holder is waited for, in milliseconds. */
interface LockPatience {
  /** Between two looks at the lock. */
  readonly pollMs: number
  /** A holder without progress for so long loses the lock. */
  readonly lockStaleMs: number
  /** Between two notices that another process is waited for. */
  readonly noticeMs: number
}

interface LockOptions {
  /** Below it others may put links: none of theirs is followed on the way to the lock. Default: the lock's own folder. */
  readonly root?: string
  readonly patience: LockPatience
  readonly signal?: AbortSignal | undefined
  /** Whether what the holder works on is done. */
  readonly isDone: () => boolean
  /** Told at intervals that another process is waited for. */
  readonly onWait: () => void
  /** Told once, before it is waited for; what it throws ends the waiting. */
  readonly onHeld?: (() => void) | undefined
}

interface BlobLock {
  /** Says that the work goes on. */
  touch(): void
  release(): void
}

const TOUCH_MS = 2_000
const LONGEST_IDENTITY = 1000
const NO_LOCK: BlobLock = { touch() {}, release() {} }

/**
 * The lock at `path`, or `undefined` when what it protects was done by another while we waited. Its folder is held until it is
 * released: whatever is put in the place of that folder, locks elsewhere are left alone.
 */
export async function acquireLock(path: string, options: LockOptions): Promise<BlobLock | undefined> {
  const folder = openFolder(path, options.root)
  if (folder === undefined) return options.isDone() ? undefined : NO_LOCK
  let lock: BlobLock | undefined
  try {
    lock = await waitForLock(join(folder.path, basename(path)), options)
  } finally {
    if (lock === undefined || lock === NO_LOCK) folder.close()
  }
  if (lock === undefined || lock === NO_LOCK) return lock
  const { touch, release } = lock
  return {
    touch,
    release() {
      release()
      folder.close()
    },
  }
}

/** Made where it is not there; `undefined` where it cannot be, or where another user's link leads elsewhere. */
function openFolder(path: string, root = dirname(path)): HeldFolder | undefined {
  return orNothing(() => HeldFolder.open(root, dirname(path)))
}

async function waitForLock(path: string, options: LockOptions): Promise<BlobLock | undefined> {
  const { patience, signal, isDone, onWait } = options
  let noticeAt = Date.now() + patience.noticeMs
  let onHeld = options.onHeld
  while (!isDone()) {
    const lock = tryLock(path)
    if (lock !== undefined) return lock
    const fate = takeFromDead(path, patience.lockStaleMs)
    if (fate === 'free') continue
    if (fate === 'stuck') return NO_LOCK
    onHeld?.()
    onHeld = undefined
    await sleep(patience.pollMs, undefined, signal ? { signal } : {})
    if (Date.now() < noticeAt) continue
    onWait()
    noticeAt = Date.now() + patience.noticeMs
  }
  return undefined
}

/** Creates the lock; `undefined` while somebody holds it. Where no lock can be made, one that locks nothing. */
function tryLock(path: string): BlobLock | undefined {
  const identity = newIdentity()
  try {
    const handle = openSync(path, 'wx', 0o664)
    writeSync(handle, identity)
    fchmodSync(handle, 0o664)
    closeSync(handle)
    return heldLock(path, identity)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EEXIST' ? undefined : NO_LOCK
  }
}

function heldLock(path: string, identity: string): BlobLock {
  let touched = Date.now()
  return {
    touch() {
      const now = Date.now()
      if (now - touched < TOUCH_MS) return
      touched = now
      orNothing(() => lutimesSync(path, now / 1000, now / 1000))
    },
    release: () => orNothing(() => holderOf(path) === identity && unlinkSync(path)),
  }
}

/** Removes the lock where its holder is dead, or has not touched it for long; `stuck` is one that cannot be removed. */
function takeFromDead(path: string, staleMs: number): 'held' | 'free' | 'stuck' {
  const status = orNothing(() => lstatSync(path, { throwIfNoEntry: false }))
  if (status === undefined) return 'free'
  if (!status.isFile()) return 'stuck'
  const holder = holderOf(path) ?? ''
  // A time to come is nobody's touch.
  const isFresh = Math.abs(Date.now() - status.mtimeMs) < staleMs
  if (lifeOf(holder) !== 'dead' && isFresh) return 'held'
  const aside = `${path}.${newIdentity()}`
  orNothing(() => renameSync(path, aside))
  const taken = holderOf(aside)
  if (taken === undefined) return existsSync(path) ? 'stuck' : 'free'
  // A third process may have taken it between the look and the rename: then it gets its lock back.
  if (taken !== holder) orNothing(() => linkSync(aside, path))
  orNothing(() => unlinkSync(aside))
  return 'free'
}

function holderOf(path: string): string | undefined {
  return orNothing(() => readRegular(path, { most: LONGEST_IDENTITY }).toString('utf8'))
}
