/**
 * Patched graphs in our own cache, each under the hash of its content: `graphs/<sha256>.onnx`. A graph without its
 * weights is some 100 kB; the weights stay where the user has them.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { isOursAlone } from '../system/folder-trust.ts'
import { makeFolder } from '../system/make-folder.ts'
import { readRegular } from '../system/regular-file.ts'
import { writeWhole } from '../system/write-whole.ts'

/**
 * The path of a file with exactly these bytes, written if there is none; `undefined` where the cache cannot be
 * written, or others can write to it, which is no error: the bytes themselves serve as well.
 */
export function storeGraph(bytes: Uint8Array, cacheFolder: string): string | undefined {
  const folder = join(cacheFolder, 'graphs')
  const path = join(folder, `${createHash('sha256').update(bytes).digest('hex')}.onnx`)
  try {
    makeFolder(folder, 0o700)
    // The runtime opens it by its path, after we have looked at it.
    if (!isOursAlone(folder)) return undefined
    // A file cut short by a crash or changed since is written again.
    if (isFile(path, bytes)) return path
    writeWhole(path, bytes)
    return path
  } catch {
    return undefined
  }
}

function isFile(path: string, bytes: Uint8Array): boolean {
  try {
    return readRegular(path, { most: bytes.length }).equals(bytes)
  } catch {
    return false
  }
}
