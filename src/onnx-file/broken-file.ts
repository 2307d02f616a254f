import { basename } from 'node:path'
import { SpoutError } from '../errors.ts'

export interface BrokenFileOptions {
  /** What to type to get the file again. */
  readonly repair?: string | undefined
  readonly cause?: unknown
}

/** A file of a model that cannot be used. */
export class BrokenFile extends SpoutError {
  readonly path: string

  constructor(path: string, detail: string, { repair, cause }: BrokenFileOptions = {}) {
    const hint = repair ?? 'download the file again, or take another dtype with --dtype'
    super('config', `${basename(path)}: ${detail}`, { hint, cause })
    this.path = path
  }
}
