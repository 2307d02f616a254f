/**
 * How a file was when something was made of it. Size and times tell at once that it is the same; where the times moved
 * (a copy, a restored backup) the content decides.
 */
import { createHash } from 'node:crypto'
import { readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { withFile } from './file-handle.ts'

export interface FileState {
  /** Absolute, or below the folder it is kept in. */
  readonly path: string
  readonly size: number
  /** Nanoseconds, too large for a number. */
  readonly modified: string
  /** The time of the last change of any kind, which no program can set. */
  readonly changed: string
  readonly sha256: string
}

/** @throws what the file system says. */
export function fileState(path: string, folder = ''): FileState {
  const { size, modified, changed } = stampsOf(join(folder, path))
  return { path, size, modified, changed, sha256: hashOf(join(folder, path)) }
}

/** The state of now when the file has the content it had: the same object where not even its times moved. */
export function sameContent(state: FileState, folder = ''): FileState | undefined {
  const path = join(folder, state.path)
  try {
    const now = stampsOf(path)
    if (now.size !== state.size) return undefined
    if (now.modified === state.modified && now.changed === state.changed) return state
    return hashOf(path) === state.sha256 ? { ...state, ...now } : undefined
  } catch {
    return undefined
  }
}

/** What tells a file from what it was before, without reading it. @throws what the file system says. */
export function stampsOf(path: string): Pick<FileState, 'size' | 'modified' | 'changed'> {
  const { size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
  return { size: Number(size), modified: String(mtimeNs), changed: String(ctimeNs) }
}

const SLICE = 1 << 20

function hashOf(path: string): string {
  return withFile(path, (file) => {
    const hash = createHash('sha256')
    const memory = Buffer.allocUnsafe(SLICE)
    for (let read = readSync(file, memory); read > 0; read = readSync(file, memory)) {
      hash.update(memory.subarray(0, read))
    }
    return hash.digest('hex')
  })
}
