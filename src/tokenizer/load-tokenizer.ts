import { join } from 'node:path'
import { SpoutError } from '../errors.ts'
import { readRegularLater } from '../system/regular-file.ts'
import { createBpeModel, type MadeBpe } from './bpe-model.ts'
import { assembleTokenizer } from './create-tokenizer.ts'
import type { Tokenizer } from './tokenizer.ts'
import { parseTokenizerJson, type TokenizerJson } from './tokenizer-json.ts'

export interface LoadTokenizerOptions {
  /** Told, in a sentence, what the file asks for and is left out. */
  readonly note?: ((message: string) => void) | undefined
}

/**
 * Reads tokenizer.json of a model folder.
 * @throws SpoutError `not-found` without the file, `config` (`tokenizer.json: <field> …`) when it cannot be used.
 */
export async function loadTokenizer(folder: string, { note }: LoadTokenizerOptions = {}): Promise<Tokenizer> {
  const json = parseTokenizerJson((await readTokenizerJson(folder)).toString())
  noteLeftOut(json.leftOut, note)
  return createTokenizer(json)
}

export async function readTokenizerJson(folder: string): Promise<Buffer> {
  try {
    return await readRegularLater(join(folder, 'tokenizer.json'))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'ENOENT') throw new SpoutError('config', 'tokenizer.json: cannot be read', { cause })
    throw new SpoutError('not-found', 'tokenizer.json: not in the model folder', { cause })
  }
}

export function noteLeftOut(fields: readonly string[], note: LoadTokenizerOptions['note']): void {
  for (const field of fields) note?.(`tokenizer.json asks for ${field}: left out`)
}

/** A tokenizer of a checked file. */
export function createTokenizer(json: TokenizerJson): Tokenizer {
  return makeTokenizer(json).tokenizer
}

/** The same with the tables it works on, where it has any. */
export function makeTokenizer({ steps, model }: TokenizerJson): { tokenizer: Tokenizer; bpe?: MadeBpe } {
  if (model.type !== 'BPE') return { tokenizer: assembleTokenizer({ steps, model }) }
  const bpe = createBpeModel(model)
  return { tokenizer: assembleTokenizer({ steps, model: bpe.model }), bpe }
}
