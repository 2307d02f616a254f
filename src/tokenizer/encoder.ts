/**
 * Text to ids, in the order of the Rust library: added tokens that are looked for in the raw text, the normalizer, added
 * tokens that are looked for in the normalized text, the pre-tokenizer, the model, and what the post-processor puts around.
 */
import { SpoutError } from '../errors.ts'
import { createAddedTokenSplitter, type Span, type SplitRule } from './added-tokens.ts'
import { createBpe, type EncodeWord } from './bpe.ts'
import type { BpeModel } from './bpe-model.ts'
import { toByteLevel } from './byte-level.ts'
import { cutsAfter } from './cuts.ts'
import { compileNormalizer, type Normalize } from './normalizer.ts'
import { guardCompiling, guardPattern, hasUnknownPattern } from './pattern.ts'
import { compilePostProcessor, type Frame } from './post-processor.ts'
import { compilePreTokenizer, type PreTokenizer } from './pre-tokenizer.ts'
import type { EncodeOptions } from './tokenizer.ts'
import { type ModelJson, type TokenizerSteps, unsupported } from './tokenizer-json.ts'
import { createUnigram } from './unigram.ts'
import { createWordPiece } from './word-piece.ts'
import { createWork, type Work } from './work.ts'

const NO_CUTS: readonly number[] = []

type Encode = (text: string, options?: EncodeOptions) => Int32Array

/** What words are made ids with. */
type Model = BpeModel | ModelJson

export interface TokenizerParts {
  readonly steps: TokenizerSteps
  readonly model: Model
}

export function createEncoder({ steps, model }: TokenizerParts): Encode {
  const guarded = hasUnknownPattern([steps.normalizer, steps.preTokenizer])
  const run: Run = guarded ? guardPattern : (work) => work()
  const create = () => createParts({ steps, model })
  const parts = guarded ? guardCompiling(create) : create()
  return encodeWith(parts, { run, frame: compilePostProcessor(steps.postProcessor) })
}

type Run = <T>(work: () => T) => T

interface Around {
  /** Runs what may take for ever, more than once perhaps. */
  readonly run: Run
  readonly frame: Frame
}

/** Apart from `createEncoder`, so that what was read is not held by what encodes. */
function encodeWith(parts: Parts, { run, frame: { before, after } }: Around): Encode {
  return (text, { addSpecialTokens = true, allowSpecial = false, cuts = NO_CUTS } = {}) => {
    if (/\p{Surrogate}/u.test(text)) throw new SpoutError('data', 'text: a lone surrogate is no character')
    const ids = addSpecialTokens ? [...before] : []
    const split = () => {
      parts.work.begin(text.length)
      return splitText(parts, text, { allowSpecial, cuts })
    }
    for (const part of run(split)) {
      if (typeof part === 'number') ids.push(part)
      else parts.encodeWord(part, ids)
    }
    if (addSpecialTokens) ids.push(...after)
    return new Int32Array(ids)
  }
}

interface Parts {
  readonly rawTokens: (text: string, rule: SplitRule) => Span[]
  readonly normalize: Normalize
  readonly normalizedTokens: (text: string, rule: SplitRule) => Span[]
  readonly preTokenizer: PreTokenizer
  readonly encodeWord: EncodeWord
  readonly work: Work
}

function createParts({ steps, model }: TokenizerParts): Parts {
  const work = createWork()
  const normalize = compileNormalizer(steps.normalizer)
  const preTokenizer = compilePreTokenizer(steps.preTokenizer)
  const added = (normalized: boolean, written: (content: string) => string) =>
    createAddedTokenSplitter(
      steps.addedTokens
        .filter((token) => token.normalized === normalized)
        .map((token) => ({ token, text: written(token.content) })),
      work,
    )
  return {
    rawTokens: added(false, (content) => content),
    normalize,
    normalizedTokens: added(true, normalize),
    preTokenizer,
    encodeWord: createModel(model, { byteLevel: preTokenizer.byteLevel, work }),
    work,
  }
}

const OTHER_MODELS = new Map([
  ['Unigram', createUnigram],
  ['WordPiece', createWordPiece],
])

function createModel(
  model: Model,
  { byteLevel, work }: { readonly byteLevel: boolean; readonly work: Work },
): EncodeWord {
  if ('tables' in model) return createBpe(model, byteLevel)
  const create = OTHER_MODELS.get(model.type)
  if (create === undefined) throw unsupported('model.type', model.type)
  const encodeWord = create(model, work)
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
  const raw = text.slice(span.start, span.end)
  const clean = parts.normalize(raw)
  const inside = rule.cuts.filter((cut) => span.start < cut && cut < span.end).map((cut) => cut - span.start)
  const cuts = inside.length === 0 ? NO_CUTS : cutsAfter(parts.normalize, raw, inside)
  const innerRule = { allowSpecial: rule.allowSpecial && cuts !== undefined, cuts: cuts ?? NO_CUTS }
  for (const inner of parts.normalizedTokens(clean, innerRule)) {
    if (inner.id !== undefined) {
      result.push(inner.id)
      continue
    }
    const opens = span.start === 0 && inner.start === 0
    for (const word of parts.preTokenizer.split(clean.slice(inner.start, inner.end), opens)) result.push(word)
  }
}
