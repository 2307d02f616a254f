/** Whether a tokenizer.json is still the one that something was made of, without reading it where that can be avoided. */
import { realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What a file system says of a file at one moment. */
export interface Stamp {
  /** Without symbolic links: a snapshot of the hub points to a blob. */
  readonly path: string
  /** Changes when the file does, unless that happens twice within a tick of the file system's clock. */
  readonly mark: string
  /** The last change was long enough ago for the next one to have another time. */
  readonly isPastTick: boolean
}

/** The content that something was made of. */
export interface Source extends Stamp {
  readonly sha256: string
}

/** Coarser than the clock of any file system in use (FAT has two seconds). */
const TICK_NS = 2_500_000_000n

/** @throws what the file system says. */
export function stampOf(folder: string): Stamp {
  const path = realpathSync(join(folder, 'tokenizer.json'))
  const { size, ino, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
  const changed = mtimeNs > ctimeNs ? mtimeNs : ctimeNs
  const isPastTick = changed + TICK_NS < BigInt(Date.now()) * 1_000_000n
  return { path, mark: [size, ino, mtimeNs, ctimeNs].join('-'), isPastTick }
}

/** Also on systems whose own cryptography would take longer to load than this takes: only when it is needed. */
export async function sha256Of(bytes: Uint8Array): Promise<string> {
  const { createHash } = await import('node:crypto')
  return createHash('sha256').update(bytes).digest('hex')
}
