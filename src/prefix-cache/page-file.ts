/**
 * One page as a file: a header of one page of the system, then the bytes as the kernel wants them.
 *
 *   0 magic   8 ids of a page   16 bytes behind the header   24 parent   56 key   88 checksum   128 ids   zeros
 *
 * The checksum is of all bytes but itself. Who reads a page knows its header, so whatever differs there is damage, or another
 * page under its name. Pages are read and not mapped: a mapped file that somebody cuts short would end the process.
 */
import { createHash } from 'node:crypto'
import { fstatSync, futimesSync, readSync } from 'node:fs'
import { PAGE } from '../backend/kv.ts'
import { withFile } from '../system/file-handle.ts'
import { bytesOf, type PageKey } from './page-key.ts'

export const HEADER = 4096
const MAGIC = 'spoutkv1'
const CHECKSUM = { at: 88, bytes: 32 }
const IDS_AT = 128

/** It is there, and not what was written under this name. */
export class BadPage extends Error {
  override readonly name = 'BadPage'
}

/** @param payload bytes behind it */
export function headerOf({ key, parent, ids }: PageKey, payload: number): Buffer {
  const header = Buffer.alloc(HEADER)
  header.write(MAGIC, 0, 'latin1')
  header.writeUInt32LE(PAGE, 8)
  header.writeBigUInt64LE(BigInt(payload), 16)
  parent.copy(header, 24)
  key.copy(header, 56)
  header.set(bytesOf(ids), IDS_AT)
  return header
}

/** Completes a header. */
export function seal(header: Buffer, payload: readonly Uint8Array[]): void {
  checksumOf(header, payload).copy(header, CHECKSUM.at)
}

/** Reads a page and notes that it was used. @throws BadPage, or what the file system says; `into` holds anything then */
export function readPage(path: string, page: PageKey, into: readonly Uint8Array[]): void {
  const payload = into.reduce((sum, { length }) => sum + length, 0)
  const read = (file: number): void => {
    if (fstatSync(file).size !== HEADER + payload) throw new BadPage('another size')
    const header = Buffer.alloc(HEADER)
    readFully(file, header, 0)
    let at = HEADER
    for (const part of into) {
      readFully(file, part, at)
      at += part.length
    }
    check(header, headerOf(page, payload), into)
    markUsed(file)
  }
  withFile(path, read, { own: true })
}

function check(header: Buffer, expected: Buffer, payload: readonly Uint8Array[]): void {
  const sum = Buffer.from(sumIn(header))
  sumIn(header).fill(0)
  if (!header.equals(expected)) throw new BadPage('of another text, or another model')
  if (!checksumOf(header, payload).equals(sum)) throw new BadPage('damaged')
}

function sumIn(header: Buffer): Buffer {
  return header.subarray(CHECKSUM.at, CHECKSUM.at + CHECKSUM.bytes)
}

/** @param header whose checksum is zeros */
function checksumOf(header: Buffer, payload: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256').update(header)
  for (const part of payload) hash.update(part)
  return hash.digest()
}

/** @throws BadPage at the end of the file */
export function readFully(file: number, into: Uint8Array, at: number): void {
  for (let done = 0; done < into.length; ) {
    const read = readSync(file, into, done, into.length - done, at + done)
    if (read === 0) throw new BadPage('cut short')
    done += read
  }
}

function markUsed(file: number): void {
  try {
    const now = new Date()
    futimesSync(file, now, now)
  } catch {
    // A folder that may only be read.
  }
}
