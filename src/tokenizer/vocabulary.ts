/** The tokens of a model, added ones left out. */
import { type Bpe, idOfSymbol, makeFindSymbol, textOfSymbol, unitsOf } from './bpe-tables.ts'
import type { ModelJson } from './tokenizer-json.ts'

export interface Vocabulary {
  /** One more than the highest id. */
  readonly size: number
  token(id: number): string | undefined
  id(token: string): number | undefined
}

/** Of a checked file. */
export function jsonVocabulary({ tokens, vocab }: ModelJson): Vocabulary {
  return { size: tokens.length, token: (id) => tokens[id], id: (token) => idOf(vocab, token) }
}

/** Of tables: a token becomes a string when it is asked for. */
export function tableVocabulary(bpe: Bpe): Vocabulary {
  const findSymbol = makeFindSymbol(bpe)
  return {
    size: bpe.size,
    token: (id) => (Number.isInteger(id) && id >= 0 && id < bpe.size ? textOfSymbol(bpe, id) : undefined),
    id(token) {
      const units = unitsOf(token)
      const symbol = findSymbol(units, 0, units.length)
      return symbol === -1 ? undefined : idOfSymbol(bpe, symbol)
    },
  }
}

/** Reads own properties only: `constructor` is a word too. */
export function idOf(vocab: Readonly<Record<string, number>>, token: string): number | undefined {
  const id: unknown = vocab[token]
  return typeof id === 'number' ? id : undefined
}
