/** The `post_processor` of tokenizer.json, for one text: the ids it puts before and after. */

import { quote } from '../system/text-display.ts'
import { invalid, isId, isObject, nestedSteps, type Step, unsupported } from './tokenizer-json.ts'

export interface Frame {
  readonly before: readonly number[]
  readonly after: readonly number[]
}

const EMPTY: Frame = { before: [], after: [] }

export function compilePostProcessor(step: Step | null): Frame {
  switch (step?.type) {
    case undefined:
    case 'ByteLevel':
      return EMPTY
    case 'Sequence':
      return nestedSteps(step!, 'processors', 'post_processor').map(compilePostProcessor).reduce(wrap, EMPTY)
    case 'TemplateProcessing':
      return templateFrame(step!)
    case 'BertProcessing':
    case 'RobertaProcessing':
      return { before: [pairId(step!.cls, 'cls')], after: [pairId(step!.sep, 'sep')] }
    default:
      throw unsupported('post_processor.type', step!.type)
  }
}

function wrap(inner: Frame, outer: Frame): Frame {
  return { before: [...outer.before, ...inner.before], after: [...inner.after, ...outer.after] }
}

/** `single` is a list of `{ Sequence }`, the text, and `{ SpecialToken }`, whose ids stand in `special_tokens`. */
function templateFrame(step: Step): Frame {
  if (!Array.isArray(step.single)) throw invalid('post_processor.single', 'is not a list')
  const before: number[] = []
  const after: number[] = []
  let target: number[] = before
  for (const part of step.single as unknown[]) {
    if (isObject(part) && isObject(part.SpecialToken)) target.push(...specialIds(step, part.SpecialToken.id))
    else if (isText(part) && target === before) target = after
    else throw invalid('post_processor.single', 'has an unknown part, or the text twice')
  }
  // The Rust library would leave out the text itself.
  if (target === before) throw invalid('post_processor.single', 'has no place for the text')
  return { before, after }
}

/** `{ Sequence: { id: 'A' } }`: the one text there is. */
function isText(part: unknown): boolean {
  return isObject(part) && isObject(part.Sequence) && (part.Sequence.id ?? 'A') === 'A'
}

function specialIds(step: Step, name: unknown): number[] {
  const tokens = step.special_tokens
  const token =
    isObject(tokens) && typeof name === 'string' && Object.hasOwn(tokens, name) ? tokens[name] : undefined
  const ids = isObject(token) ? token.ids : undefined
  if (!Array.isArray(ids) || !ids.every(isId))
    throw invalid('post_processor.special_tokens', `has no ids of ${quote(name)}`)
  return ids
}

function pairId(value: unknown, field: string): number {
  const id = Array.isArray(value) ? value[1] : undefined
  if (!isId(id)) throw invalid(`post_processor.${field}`, 'is not a token with its id')
  return id
}
