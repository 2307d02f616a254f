/**
 * Files that others may have put there, opened for reading. A named pipe would be waited for without end and a device
 * has no end, so both are refused, on the opened file: what a path names may change between a look and the opening.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'

export interface RegularFileOptions {
  /** Only a file that this user made: no link leads to it, it is ours, and it has this one name. */
  readonly own?: boolean
  /** How it is opened; default O_RDONLY. */
  readonly flags?: number
  /** Permissions of one that is made. */
  readonly mode?: number
}

/** What a path names is nothing to read or write: a pipe, a device, a folder, or a file somebody else has put there. */
export class RefusedFile extends Error {
  override readonly name = 'RefusedFile'
  readonly code: string

  constructor(message: string, code = 'ENOTREG') {
    super(message)
    this.code = code
  }
}

/** Where the system has no such flag, the look at the opened file alone has to do. */
const NONBLOCK = constants.O_NONBLOCK ?? 0
const NOFOLLOW = constants.O_NOFOLLOW ?? 0

/** Opens a regular file. Whoever opens it closes it. @throws RefusedFile, or what the file system says. */
export function openRegular(path: string, options: RegularFileOptions = {}): number {
  const { own = false, flags = constants.O_RDONLY, mode } = options
  const handle = openSync(path, flags | NONBLOCK | (own ? NOFOLLOW : 0), mode)
  try {
    const status = fstatSync(handle)
    refuseOthers(status)
    if (own && !isOwnFile(status)) throw new RefusedFile('a file that somebody else has put there')
    return handle
  } catch (error) {
    closeSync(handle)
    throw error
  }
}

function refuseOthers(status: Stats): void {
  if (status.isFile()) return
  throw new RefusedFile('not a regular file', status.isDirectory() ? 'EISDIR' : undefined)
}

/** Whether a file is this user's and has one name, so that nothing else of the user's is written through it. */
export function isOwnFile(status: Stats): boolean {
  return status.isFile() && status.nlink <= 1 && isOurs(status.uid)
}

/** Whether this user is the owner; everybody is where files have none. */
export function isOurs(uid: number): boolean {
  const us = process.geteuid?.()
  return us === undefined || us === uid
}

interface ReadRegularOptions extends Pick<RegularFileOptions, 'own'> {
  /** A longer file is refused. */
  readonly most: number
}

/** The bytes of a regular file. @throws RefusedFile, or what the file system says. */
export function readRegular(path: string, { most, own = false }: ReadRegularOptions): Buffer {
  const handle = openRegular(path, { own })
  try {
    const { size } = fstatSync(handle)
    if (size > most) throw new RefusedFile(`${size} bytes is too much`)
    const bytes = Buffer.allocUnsafe(size)
    let read = 0
    for (let more = -1; read < size && more !== 0; read += more)
      more = readSync(handle, bytes, read, size - read, read)
    return bytes.subarray(0, read)
  } finally {
    closeSync(handle)
  }
}

/** All of a regular file, while the thread goes on. @throws RefusedFile, or what the file system says. */
export async function readRegularLater(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | NONBLOCK)
  try {
    refuseOthers(await file.stat())
    return await file.readFile()
  } finally {
    await file.close()
  }
}
