/** The last conversation, kept for `--continue`: written after every turn, for its owner only. */
import { existsSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolder } from '../../system/make-folder.ts'
import { spoutCacheFolder } from '../../system/spout-cache.ts'
import { writeWhole } from '../../system/write-whole.ts'
import type { Transcript } from './transcript.ts'

export interface KeptConversation {
  readonly exists: boolean
  /** Puts what is kept into `transcript`. @throws SpoutError when it is damaged. */
  load(transcript: Transcript): void
  /** Keeps what was said. @throws what the file system says. */
  keep(transcript: Transcript, model: string): void
}

export function keptPath(): string {
  return join(spoutCacheFolder(process.env), 'chat-last.json')
}

export function openKept(path: string): KeptConversation {
  return {
    get exists() {
      return existsSync(path)
    },
    load: (transcript) => transcript.load(path),
    keep(transcript, model) {
      if (transcript.turns.length === 0) return rmSync(path, { force: true })
      makeFolder(dirname(path), 0o700)
      writeWhole(path, transcript.document(model), { flush: false, mode: 0o600 })
    },
  }
}
