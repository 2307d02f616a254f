import { createHash, type Hash } from 'node:crypto'
import { closeSync, createReadStream } from 'node:fs'
import { openRegular } from '../system/regular-file.ts'

// A blob's name is the hash of its bytes: sha256 of a large file, of a small one git's sha1, which has the length in
// front. So every file in the cache can be checked with nothing but its name.

/** A running hash of the kind a blob of this name has. @param size bytes of the whole blob */
export function createBlobHash(etag: string, size: number): Hash {
  if (etag.length === 64) return createHash('sha256')
  return createHash('sha1').update(`blob ${size}\0`)
}

/** Feeds the first `bytes` of an open file to `hash`. */
export async function hashFile(file: number, hash: Hash, { bytes, signal }: HashOptions): Promise<Hash> {
  if (bytes === 0) return hash
  const stream = createReadStream('', {
    fd: file,
    autoClose: false,
    start: 0,
    end: bytes - 1,
    highWaterMark: 2 ** 20,
    ...(signal ? { signal } : {}),
  })
  for await (const chunk of stream as AsyncIterable<Buffer>) hash.update(chunk)
  return hash
}

interface HashOptions {
  readonly bytes: number
  readonly signal?: AbortSignal | undefined
}

/** The same of a file that is not open. */
export async function hashPath(path: string, hash: Hash, options: HashOptions): Promise<Hash> {
  const file = openRegular(path)
  try {
    return await hashFile(file, hash, options)
  } finally {
    closeSync(file)
  }
}

/** What the blob at `path` should be called by its content. */
export async function blobName(path: string, etag: string, options: HashOptions): Promise<string> {
  return (await hashPath(path, createBlobHash(etag, options.bytes), options)).digest('hex')
}
