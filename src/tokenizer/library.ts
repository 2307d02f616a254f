/**
 * The one door to @huggingface/tokenizers: translates patterns, and brings the models and normalizers that are not written
 * here (WordPiece, Precompiled, Bert). Loaded when first needed: most models never need it.
 */
import { createRequire } from 'node:module'
import type { EncodeWord } from './bpe.ts'
import { idOf } from './bpe.ts'
import type { Normalize } from './normalizer.ts'
import { invalid, type ModelJson, type Step } from './tokenizer-json.ts'

/** The classes used here; the package's own types leave them out. */
type Library = Record<
  'SplitPreTokenizer' | 'BertNormalizer' | 'PrecompiledNormalizer' | 'SequenceNormalizer' | 'WordPiece',
  new (
    step: object,
    eosToken?: string,
  ) => object
>

let loaded: Library | undefined

function library(): Library {
  loaded ??= createRequire(import.meta.url)('@huggingface/tokenizers') as Library
  return loaded
}

/** An Oniguruma pattern as a global JavaScript one. */
export function translatePattern(source: string): RegExp {
  const { SplitPreTokenizer } = library()
  const step = new SplitPreTokenizer({
    type: 'Split',
    pattern: { Regex: source },
    invert: false,
    behavior: 'Isolated',
  })
  return (step as unknown as { pattern: RegExp }).pattern
}

/** A normalizer that is not written here. */
export function libraryNormalizer(step: Step): Normalize {
  const { BertNormalizer, PrecompiledNormalizer, SequenceNormalizer } = library()
  const known = new Map([
    ['BertNormalizer', BertNormalizer],
    ['Precompiled', PrecompiledNormalizer],
    ['Sequence', SequenceNormalizer],
  ])
  const Normalizer = known.get(step.type)
  if (Normalizer === undefined) throw invalid('normalizer.type', `${step.type} is not supported`)
  const normalizer = new Normalizer(step) as { normalize(text: string): string }
  return (text) => normalizer.normalize(text)
}

/** A model that is not written here: WordPiece. */
export function libraryModel({ type, vocab, raw }: ModelJson): EncodeWord {
  if (type !== 'WordPiece') throw invalid('model.type', `${type} is not supported`)
  const model = new (library().WordPiece)(raw) as { encode(words: readonly string[]): string[] }
  return (word, ids) => {
    for (const token of model.encode([word])) ids.push(idOf(vocab, token)!)
  }
}
