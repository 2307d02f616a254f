/** Files by what the file system says of them: cheap to compare, and any later change of a file changes it. */
import { statSync } from 'node:fs'

export interface Stamp {
  readonly path: string
  readonly size: number
  readonly mtimeNs: string
  readonly inode: string
}

export function stampOf(path: string): Stamp {
  const { size, mtimeNs, ino } = statSync(path, { bigint: true })
  return { path, size: Number(size), mtimeNs: String(mtimeNs), inode: String(ino) }
}

/** True when the file is there and has not changed since. */
export function isUnchanged(stamp: Stamp): boolean {
  try {
    const now = stampOf(stamp.path)
    return now.size === stamp.size && now.mtimeNs === stamp.mtimeNs && now.inode === stamp.inode
  } catch {
    return false
  }
}
