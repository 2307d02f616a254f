/** A tokenizer of its parts, wherever they come from. */
import { compileTokenDecoder } from './decoder.ts'
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
  return {
    vocabSize: vocabulary.size,
    pieces: tokenDecoder && createPieceTable(vocabulary.token, tokenDecoder),
    specialTokens: specialTokens.map((token) => token.content),
    encode,
    decode: makeDecode({ vocabulary, specialIds, decodeTokens }),
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

interface Decoding {
  readonly vocabulary: Vocabulary
  readonly specialIds: ReadonlySet<number>
  readonly decodeTokens: DecodeTokens
}

function makeDecode({ vocabulary, specialIds, decodeTokens }: Decoding): Tokenizer['decode'] {
  return (ids, { skipSpecialTokens = true }: DecodeOptions = {}) => {
    const kept: string[] = []
    for (let i = 0; i < ids.length; i++) {
      const token = vocabulary.token(ids[i]!)
      if (token !== undefined && !(skipSpecialTokens && specialIds.has(ids[i]!))) kept.push(token)
    }
    return kept.length === 0 ? '' : decodeTokens(kept)
  }
}
