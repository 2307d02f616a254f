/**
 * The only file that imports @huggingface/tokenizers. It translates patterns that are not known here, and stands in for the one
 * normalizer that is not written here. Loaded when first needed: most models never need it.
 */
import { createRequire } from 'node:module'
import type { Step } from './tokenizer-json.ts'

/** The classes used here; the package's own types leave them out. */
type Library = Record<'SplitPreTokenizer' | 'PrecompiledNormalizer', new (step: object) => object>

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

/** SentencePiece's table of replacements, which the library knows in outline: NFKC, and white space and controls as spaces. */
export function precompiledNormalizer(step: Step): (text: string) => string {
  const normalizer = new (library().PrecompiledNormalizer)(step) as { normalize(text: string): string }
  return (text) => normalizer.normalize(text)
}
