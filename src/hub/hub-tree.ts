import { SpoutError } from '../errors.ts'
import { isEtag } from '../model/model-id.ts'
import { isSafeFileName } from '../system/safe-name.ts'
import { quote } from '../system/text-display.ts'

/** A file of a repository, as the hub lists it. */
export interface TreeEntry {
  readonly path: string
  /** Bytes of the file itself, not of its pointer. */
  readonly size: number
  /** The name its blob will have: the sha256 of a large file, else git's sha1. */
  readonly etag: string | undefined
}

/** The files in a page of the hub's list. Throws `config` for a name that leads out of a folder. */
export function parseTree(page: readonly unknown[], repo: string): TreeEntry[] {
  return page.flatMap((item) => parseEntry(item, repo))
}

function parseEntry(item: unknown, repo: string): TreeEntry[] {
  const entry = (item ?? {}) as {
    type?: unknown
    path?: unknown
    size?: unknown
    oid?: unknown
    lfs?: unknown
  }
  if (entry.type !== 'file' || typeof entry.path !== 'string') return []
  if (leadsOut(entry.path)) {
    throw new SpoutError('config', `unsafe file name in ${repo}: ${quote(entry.path)}`, {
      hint: 'do not use this repository',
    })
  }
  const lfs = entry.lfs as { oid?: unknown; size?: unknown } | null | undefined
  const size = lfs?.size ?? entry.size
  const oid = lfs?.oid ?? entry.oid
  // Names no file system of ours takes are no business of ours: no file we need has one.
  if (!isSafeFileName(entry.path) || !Number.isSafeInteger(size) || (size as number) < 0) return []
  return [
    {
      path: entry.path,
      size: size as number,
      etag: typeof oid === 'string' && isEtag(oid) ? oid : undefined,
    },
  ]
}

/** Whether a name would leave the folder it is joined to, by the rules of any system. */
function leadsOut(path: string): boolean {
  const parts = path.split(/[\\/]/)
  return (
    parts.includes('..') ||
    parts[0] === '' ||
    /\x00/.test(path) ||
    parts.some((part) => /^[A-Za-z]:/.test(part))
  )
}
