/** A tokenizer of its parts, wherever they come from. */
import { toByteLevel } from './byte-level.ts'
import { compileTokenDecoder, flatten } from './decoder.ts'
import { createEncoder, type TokenizerParts } from './encoder.ts'
import { compileListDecoder, type DecodeTokens } from './list-decoder.ts'
import { createPieceTable } from './piece-table.ts'
import type { DecodeOptions, Tokenizer } from './tokenizer.ts'
import type { AddedToken } from './tokenizer-json.ts'
import { jsonVocabulary, tableVocabulary, type Vocabulary } from './vocabulary.ts'

/** @throws SpoutError `config`, `tokenizer.json: <field> …`. */
export function assembleTokenizer(parts: TokenizerParts): Tokenizer {
  const { addedTokens, decoder } = parts.steps
  const specialTokens = addedTokens.filter((token) => token.special)
  const specialIds = new Set(specialTokens.map((token) => token.id))
  const decodeTokens = compileListDecoder(decoder)
  const tokenDecoder = compileTokenDecoder(decoder)
  const encode = createEncoder(parts)
  const vocabulary = withAddedTokens(modelVocabulary(parts), addedTokens)
  const decodable = decodableTokens(vocabulary, parts.steps)
  return {
    vocabSize: vocabulary.size,
    pieces: tokenDecoder && createPieceTable(decodable, tokenDecoder),
    specialTokens: specialTokens.map((token) => token.content),
    encode,
    decode: makeDecode({ token: decodable, specialIds, decodeTokens }),
    tokenToId: vocabulary.id,
    idToToken: vocabulary.token,
    isSpecial: (id) => specialIds.has(id),
  }
}

function modelVocabulary({ model }: TokenizerParts): Vocabulary {
  return 'tables' in model ? tableVocabulary({ ...model.shape, ...model.tables }) : jsonVocabulary(model)
}

/** An added token stands before a token of the model with its id or its text. */
function withAddedTokens(vocabulary: Vocabulary, added: readonly AddedToken[]): Vocabulary {
  const ids = new Map(added.map(({ content, id }) => [content, id]))
  const tokens = new Map(added.map(({ content, id }) => [id, content]))
  return {
    size: added.reduce((size, { id }) => Math.max(size, id + 1), vocabulary.size),
    token: (id) => tokens.get(id) ?? vocabulary.token(id),
    id: (token) => ids.get(token) ?? vocabulary.id(token),
  }
}

/**
 * Tokens as the decoder is to read them. An added token is a text; the byte-level decoder would take a `ć` in one for the byte
 * that this letter stands for in the vocabulary (the Rust library does), so it is written in that alphabet first.
 */
function decodableTokens(
  vocabulary: Vocabulary,
  { addedTokens, decoder }: TokenizerParts['steps'],
): (id: number) => string | undefined {
  if (decoder === null || flatten(decoder)[0]?.type !== 'ByteLevel') return vocabulary.token
  const foreign = addedTokens.filter(({ content }) => /[^\x20-\x7e]/.test(content))
  if (foreign.length === 0) return vocabulary.token
  const written = new Map(foreign.map(({ id, content }) => [id, toByteLevel(content)]))
  return (id) => written.get(id) ?? vocabulary.token(id)
}

interface Decoding {
  /** As the decoder reads it. */
  readonly token: (id: number) => string | undefined
  readonly specialIds: ReadonlySet<number>
  readonly decodeTokens: DecodeTokens
}

function makeDecode({ token: tokenOf, specialIds, decodeTokens }: Decoding): Tokenizer['decode'] {
  return (ids, { skipSpecialTokens = true }: DecodeOptions = {}) => {
    const kept: string[] = []
    for (let i = 0; i < ids.length; i++) {
      const token = tokenOf(ids[i]!)
      if (token !== undefined && !(skipSpecialTokens && specialIds.has(ids[i]!))) kept.push(token)
    }
    return kept.length === 0 ? '' : decodeTokens(kept)
  }
}
