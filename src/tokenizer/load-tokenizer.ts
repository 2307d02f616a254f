import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SpoutError } from '../errors.ts'
import { idOf } from './bpe.ts'
import { compileTokenDecoder } from './decoder.ts'
import { createEncoder } from './encoder.ts'
import { compileListDecoder } from './list-decoder.ts'
import { createPieceTable } from './piece-table.ts'
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
  const json = parseTokenizerJson(await readTokenizerJson(folder))
  for (const field of ['truncation', 'padding']) {
    if (json.raw[field]) note?.(`tokenizer.json asks for ${field}: left out`)
  }
  return createTokenizer(json)
}

async function readTokenizerJson(folder: string): Promise<string> {
  try {
    return await readFile(join(folder, 'tokenizer.json'), 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new SpoutError('config', 'tokenizer.json: cannot be read', { cause })
    throw new SpoutError('not-found', 'tokenizer.json: not in the model folder', { cause })
  }
}

/** A tokenizer of a checked file. */
export function createTokenizer(json: TokenizerJson): Tokenizer {
  const { tokens, addedTokens } = json
  const { vocab } = json.model
  const specialTokens = addedTokens.filter((token) => token.special)
  const specialIds = new Set(specialTokens.map((token) => token.id))
  const addedIds = new Map(addedTokens.map((token) => [token.content, token.id]))
  const decodeTokens = compileListDecoder(json.decoder)
  const tokenDecoder = compileTokenDecoder(json.decoder)
  return {
    vocabSize: tokens.length,
    pieces: tokenDecoder && createPieceTable(tokens, tokenDecoder),
    specialTokens: specialTokens.map((token) => token.content),
    encode: createEncoder(json),
    decode: (ids, { skipSpecialTokens = true } = {}) => {
      const kept: string[] = []
      for (let i = 0; i < ids.length; i++) {
        const token = tokens[ids[i]!]
        if (token !== undefined && !(skipSpecialTokens && specialIds.has(ids[i]!))) kept.push(token)
      }
      return kept.length === 0 ? '' : decodeTokens(kept)
    },
    tokenToId: (token) => addedIds.get(token) ?? idOf(vocab, token),
    idToToken: (id) => tokens[id],
    isSpecial: (id) => specialIds.has(id),
  }
}
