/**
 * Text to ids, in the order of the Rust library: added tokens that are looked for in the raw text, the normalizer, added
 * tokens that are looked for in the normalized text, the pre-tokenizer, the model, and what the post-processor puts around.
 */
import { SpoutError } from '../errors.ts'
import { createAddedTokenSplitter, type Span, type SplitRule } from './added-tokens.ts'
import { createBpe, type EncodeWord } from './bpe.ts'
import { toByteLevel } from './byte-level.ts'
import { compileNormalizer } from './normalizer.ts'
import { hasUnknownPattern } from './pattern.ts'
import { compilePostProcessor } from './post-processor.ts'
import { compilePreTokenizer, type PreTokenizer } from './pre-tokenizer.ts'
import { withTimeLimit } from './time-limit.ts'
import type { EncodeOptions } from './tokenizer.ts'
import { invalid, type ModelJson, type TokenizerJson } from './tokenizer-json.ts'
import { createUnigram } from './unigram.ts'
import { createWordPiece } from './word-piece.ts'

/** No pattern in use needs a second for the longest prompt. */
const PATTERN_LIMIT = {
  ms: 5000,
  error: () =>
    new SpoutError('config', 'tokenizer.json: a pattern did not end within 5 seconds on this text'),
}

const NO_CUTS: readonly number[] = []

export type Encode = (text: string, options?: EncodeOptions) => Int32Array

export function createEncoder(json: TokenizerJson): Encode {
  const parts = createParts(json)
  const { before, after } = compilePostProcessor(json.postProcessor)
  const guarded = hasUnknownPattern([json.normalizer, json.preTokenizer])
  const { encodeWord } = parts
  return (text, { addSpecialTokens = true, allowSpecial = false, cuts = NO_CUTS } = {}) => {
    if (/\p{Surrogate}/u.test(text)) throw new SpoutError('data', 'text: a lone surrogate is no character')
    const split = () => splitText(parts, text, { allowSpecial, cuts })
    const ids = addSpecialTokens ? [...before] : []
    for (const part of guarded ? withTimeLimit(split, PATTERN_LIMIT) : split()) {
      if (typeof part === 'number') ids.push(part)
      else encodeWord(part, ids)
    }
    if (addSpecialTokens) ids.push(...after)
    return Int32Array.from(ids)
  }
}

type Splitter = ReturnType<typeof createAddedTokenSplitter>

interface Parts {
  readonly rawTokens: Splitter
  readonly normalize: (text: string) => string
  readonly normalizedTokens: Splitter
  readonly preTokenizer: PreTokenizer
  readonly encodeWord: EncodeWord
}

function createParts(json: TokenizerJson): Parts {
  const normalize = compileNormalizer(json.normalizer)
  const preTokenizer = compilePreTokenizer(json.preTokenizer)
  const added = (normalized: boolean, written: (content: string) => string) =>
    createAddedTokenSplitter(
      json.addedTokens
        .filter((token) => token.normalized === normalized)
        .map((token) => ({ token, text: written(token.content) })),
    )
  return {
    rawTokens: added(false, (content) => content),
    normalize,
    normalizedTokens: added(true, normalize),
    preTokenizer,
    encodeWord: createModel(json.model, preTokenizer.byteLevel),
  }
}

const OTHER_MODELS = new Map([
  ['Unigram', createUnigram],
  ['WordPiece', createWordPiece],
])

function createModel(model: ModelJson, byteLevel: boolean): EncodeWord {
  if (model.type === 'BPE') return createBpe(model, byteLevel)
  const create = OTHER_MODELS.get(model.type)
  if (create === undefined) throw invalid('model.type', `${model.type} is not supported`)
  const encodeWord = create(model)
  return byteLevel ? (word, ids) => encodeWord(toByteLevel(word), ids) : encodeWord
}

/** Words for the model, and ids of added tokens among them. */
function splitText(parts: Parts, text: string, rule: SplitRule): (string | number)[] {
  const result: (string | number)[] = []
  for (const span of parts.rawTokens(text, rule)) {
    if (span.id === undefined) splitPlain(parts, text, { span, rule, result })
    else result.push(span.id)
  }
  return result
}

interface Plain {
  readonly span: Span
  readonly rule: SplitRule
  readonly result: (string | number)[]
}

/** A stretch between tokens of the raw text: normalized, it may hold tokens of the other kind. */
function splitPlain(parts: Parts, text: string, { span, rule, result }: Plain): void {
  const clean = parts.normalize(text.slice(span.start, span.end))
  for (const inner of parts.normalizedTokens(clean, { ...rule, cuts: NO_CUTS })) {
    if (inner.id !== undefined) {
      result.push(inner.id)
      continue
    }
    const opens = span.start === 0 && inner.start === 0
    for (const word of parts.preTokenizer.split(clean.slice(inner.start, inner.end), opens)) result.push(word)
  }
}
