/**
 * The one door to @huggingface/tokenizers: translates patterns, and brings the models and normalizers that are not written
 * here (Unigram, WordPiece, Precompiled, Bert). Loaded when first needed: most models never need it.
 */
import { createRequire } from 'node:module'
import type { EncodeWord } from './bpe.ts'
import { idOf } from './bpe.ts'
import type { Normalize } from './normalizer.ts'
import { invalid, type ModelJson, type Step } from './tokenizer-json.ts'

/** The classes used here; the package's own types leave them out. */
type Library = Record<
  | 'SplitPreTokenizer'
  | 'BertNormalizer'
  | 'PrecompiledNormalizer'
  | 'SequenceNormalizer'
  | 'Unigram'
  | 'WordPiece',
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

/** A model that is not written here. */
export function libraryModel(model: ModelJson): EncodeWord {
  const { Unigram, WordPiece } = library()
  const Model = new Map([
    ['Unigram', Unigram],
    ['WordPiece', WordPiece],
  ]).get(model.type)
  if (Model === undefined) throw invalid('model.type', `${model.type} is not supported`)
  const encoder = new Model(model.raw, '') as { _call(words: readonly string[]): string[] }
  const unknown = unknownId(model)
  return (word, ids) => {
    for (const token of encoder._call([word])) {
      const id = idOf(model.vocab, token) ?? unknown
      if (id !== undefined) ids.push(id)
    }
  }
}

function unknownId({ type, vocab, raw }: ModelJson): number | undefined {
  if (type !== 'Unigram') return idOf(vocab, String(raw.unk_token))
  return typeof raw.unk_id === 'number' ? raw.unk_id : undefined
}
