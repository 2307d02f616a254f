/** The `pre_tokenizer` of tokenizer.json: a text into the words that the model treats one by one. */
import { toByteLevel } from './byte-level.ts'
import { checkLength, mostLength } from './growth.ts'
import { metaspacePrepends } from './metaspace.ts'
import { BYTE_LEVEL_SPLIT, compilePattern, type Pattern } from './pattern.ts'
import { PUNCTUATION } from './punctuation.ts'
import { type Behavior, parseBehavior, splitBy } from './split.ts'
import { invalid, nestedSteps, type Step, textField, unsupported } from './tokenizer-json.ts'

/** Words of a text; `opens` is true of the text that begins the whole input. */
type SplitWords = (text: string, opens: boolean) => string[]

export interface PreTokenizer {
  readonly split: SplitWords
  /** The words are yet to be written in the byte-level alphabet: left to the model, which caches words. */
  readonly byteLevel: boolean
}

/** @throws SpoutError `config` for a type that is not known here. */
export function compilePreTokenizer(step: Step | null): PreTokenizer {
  const steps = step === null ? [] : flatten(step)
  const byteLevel = steps.at(-1)?.type === 'ByteLevel'
  const parts = steps.map((part, i) => compileStep(part, byteLevel && i === steps.length - 1))
  return { split: chain(parts), byteLevel }
}

function flatten(step: Step): Step[] {
  return step.type === 'Sequence'
    ? nestedSteps(step, 'pretokenizers', 'pre_tokenizer').flatMap(flatten)
    : [step]
}

function chain(parts: readonly SplitWords[]): SplitWords {
  const [first, ...rest] = parts
  if (first === undefined) return (text) => [text]
  if (rest.length === 0) return first
  return (text, opens) =>
    rest.reduce(
      (words, part) => {
        const parts = words.flatMap((word, i) => part(word, opens && i === 0 && text.startsWith(word)))
        checkLength(
          parts.reduce((length, word) => length + word.length, 0),
          mostLength(text.length),
        )
        return parts
      },
      first(text, opens),
    )
}

function compileStep(step: Step, last: boolean): SplitWords {
  switch (step.type) {
    case 'ByteLevel':
      return byteLevel(step, last)
    case 'Metaspace':
      return metaspace(step)
    case 'Split':
      return bySplit(compilePattern(step.pattern, 'pre_tokenizer.pattern'), step)
    case 'Digits':
      return by(/\p{N}/gu, step.individual_digits ? 'Isolated' : 'Contiguous')
    case 'Punctuation':
      return by(
        new RegExp(PUNCTUATION, 'gu'),
        parseBehavior(step.behavior ?? 'Isolated', 'pre_tokenizer.behavior'),
      )
    case 'Whitespace':
      return (text) =>
        text.match(
          /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu,
        ) ?? []
    case 'WhitespaceSplit':
      return by(/\p{White_Space}/gu, 'Removed')
    case 'BertPreTokenizer':
      return chain([by(/\p{White_Space}/gu, 'Removed'), by(new RegExp(PUNCTUATION, 'gu'), 'Isolated')])
    case 'CharDelimiterSplit':
      return by(textField(step, 'pre_tokenizer.delimiter', ' '), 'Removed')
    default:
      throw unsupported('pre_tokenizer.type', step.type)
  }
}

function by(pattern: Pattern, behavior: Behavior): SplitWords {
  return (text) => splitBy(text, { pattern, behavior, invert: false })
}

function bySplit(pattern: Pattern, step: Step): SplitWords {
  const rule = {
    pattern,
    behavior: parseBehavior(step.behavior, 'pre_tokenizer.behavior'),
    invert: step.invert === true,
  }
  return (text) => splitBy(text, rule)
}

function byteLevel(step: Step, last: boolean): SplitWords {
  const words =
    step.use_regex === false ? (text: string) => [text] : by(new RegExp(BYTE_LEVEL_SPLIT, 'gu'), 'Isolated')
  const spaced = step.add_prefix_space === true ? prefixSpace : (text: string) => text
  return last
    ? (text, opens) => words(spaced(text), opens)
    : (text, opens) => words(spaced(text), opens).map(toByteLevel)
}

function prefixSpace(text: string): string {
  return text.startsWith(' ') ? text : ` ${text}`
}

function metaspace(step: Step): SplitWords {
  const marker = step.replacement ?? '▁'
  if (typeof marker !== 'string' || marker === '')
    throw invalid('pre_tokenizer.replacement', 'is not a character')
  const prepends = metaspacePrepends(step)
  const words = by(marker, 'MergedWithNext')
  return (text, opens) => {
    const written = text.replaceAll(' ', marker)
    const lead = (prepends === 'always' || (prepends === 'first' && opens)) && !written.startsWith(marker)
    const marked = lead ? marker + written : written
    return step.split === false ? [marked] : words(marked, opens)
  }
}
