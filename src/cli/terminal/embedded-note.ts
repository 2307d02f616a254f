/** The embedded model writes fluently and knows nothing: whoever asks it a question on a terminal is told so, once. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EMBEDDED_MODEL } from '../../open/embedded-model.ts'
import { makeFolder } from '../../system/make-folder.ts'
import { spoutCacheFolder } from '../../system/spout-cache.ts'
import type { Options } from '../options.ts'
import { writeLine } from './messages.ts'

const TOLD = 'embedded-model-told'

export function noteEmbedded({
  model,
  quiet,
  engine = [],
}: Pick<Options, 'model' | 'quiet' | 'engine'>): void {
  if (model !== undefined || engine.flat().length > 0 || quiet || !process.stderr.isTTY || !isFirst()) return
  writeLine(
    `${EMBEDDED_MODEL.name}, the embedded model, is for trying things out and knows nothing; a real one: spout help model`,
  )
}

/** A cache that cannot be written remembers nothing, and is told again. */
function isFirst(): boolean {
  try {
    const folder = spoutCacheFolder(process.env)
    makeFolder(folder, 0o700)
    writeFileSync(join(folder, TOLD), '', { flag: 'wx' })
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EEXIST'
  }
}
