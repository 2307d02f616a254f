import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { statusOf } from '../system/list-files.ts'
import { blobName } from './blob-hash.ts'
import { type CachedSnapshot, etagOfFile } from './scan-cache.ts'

/** What hashing a snapshot found. */
interface Verdict {
  readonly repo: string
  readonly commit: string
  /** Files whose bytes hash to their name. */
  readonly good: number
  /** Files whose bytes do not. */
  readonly corrupt: readonly string[]
  /** Pointers that lead nowhere, and files that a graph there needs and that never came. */
  readonly missing: readonly string[]
  /** Files in the place of links, whose hash nobody has noted. */
  readonly unknown: readonly string[]
}

interface VerifyOptions {
  readonly signal?: AbortSignal | undefined
  /** Told before each file. */
  readonly onFile?: ((name: string, size: number) => void) | undefined
}

/** Hashes every file of a cached snapshot. */
export async function verifySnapshot(
  snapshot: CachedSnapshot,
  options: VerifyOptions = {},
): Promise<Verdict> {
  const { repo, commit, files, folder, lacking } = snapshot
  const corrupt: string[] = []
  const unknown: string[] = []
  for (const file of files) {
    const etag = etagOfFile(file)
    if (etag === undefined) {
      unknown.push(file.name)
      continue
    }
    options.onFile?.(file.name, file.size)
    const name = await blobName(file.blob, etag, { bytes: file.size, signal: options.signal })
    if (name !== etag) corrupt.push(file.name)
  }
  const good = files.length - corrupt.length - unknown.length
  const missing = new Set([...danglingLinks(folder), ...lacking.flatMap((graph) => graph.files)])
  return { repo, commit, good, corrupt, missing: [...missing].sort(), unknown }
}

function danglingLinks(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  return names.filter((name) => {
    const path = join(folder, name)
    return lstatSync(path).isSymbolicLink() && statusOf(path) === undefined
  })
}
