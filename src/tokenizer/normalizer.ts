/** The `normalizer` of tokenizer.json: text to text, before it is split. */

import { toByteLevel } from './byte-level.ts'
import { checkLength, mostLength, replaceWithin } from './growth.ts'
import { precompiledNormalizer } from './library.ts'
import { compilePattern } from './pattern.ts'
import { invalid, nestedSteps, type Step, textField, unsupported } from './tokenizer-json.ts'

export type Normalize = (text: string) => string

/** One step. @param most how long the result of a step that replaces may be */
type Part = (text: string, most: number) => string

/** @throws SpoutError `config` for a type that is not known here. */
export function compileNormalizer(step: Step | null): Normalize {
  if (step === null) return (text) => text
  const parts = flatten(step).map(compilePart)
  return (text) => {
    const most = mostLength(text.length)
    return parts.reduce((result, part) => {
      const made = part(result, most)
      checkLength(made.length, most)
      return made
    }, text)
  }
}

function flatten(step: Step): Step[] {
  return step.type === 'Sequence' ? nestedSteps(step, 'normalizers', 'normalizer').flatMap(flatten) : [step]
}

function compilePart(step: Step): Part {
  switch (step.type) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return (text) => text.normalize(step.type)
    case 'Lowercase':
      return lowercase
    case 'StripAccents':
      return (text) => text.replace(/\p{M}/gu, '')
    case 'Prepend':
      return prepend(textField(step, 'normalizer.prepend', ''))
    case 'Strip':
      return (text) => strip(text, step)
    case 'ByteLevel':
      return toByteLevel
    case 'Replace':
      return compileReplace(step)
    case 'BertNormalizer':
      return compileBert(step)
    case 'Precompiled':
      return precompiledNormalizer(step)
    default:
      throw unsupported('normalizer.type', step.type)
  }
}

/** Clean, space out Chinese characters, drop accents, lowercase: each unless it is switched off. */
function compileBert(step: Step): Normalize {
  const parts: Normalize[] = []
  if (step.clean_text !== false) parts.push(cleanText)
  if (step.handle_chinese_chars !== false) parts.push((text) => text.replace(CHINESE, ' $& '))
  if (step.strip_accents ?? step.lowercase)
    parts.push((text) => text.normalize('NFD').replace(/\p{Mn}/gu, ''))
  if (step.lowercase) parts.push(lowercase)
  return (text) => parts.reduce((result, part) => part(result), text)
}

const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu

function cleanText(text: string): string {
  return text.replace(/(?![\t\n\r])\p{C}|\ufffd/gu, '').replace(/\p{White_Space}/gu, ' ')
}

function prepend(prefix: string): Normalize {
  return (text) => (text === '' ? '' : prefix + text)
}

/** Character by character: a final sigma is not looked for. */
function lowercase(text: string): string {
  return text.replace(/\P{ASCII}|[A-Z]/gu, (char) => char.toLowerCase())
}

function strip(text: string, step: Step): string {
  const left = step.strip_left ? text.replace(/^\p{White_Space}+/u, '') : text
  if (!step.strip_right) return left
  let end = left.length
  while (end > 0 && /\p{White_Space}/u.test(left[end - 1]!)) end--
  return left.slice(0, end)
}

function compileReplace(step: Step): Part {
  const pattern = compilePattern(step.pattern, 'normalizer.pattern')
  if (typeof step.content !== 'string') throw invalid('normalizer.content', 'is not a text')
  const content = step.content
  return (text, most) => replaceWithin(text, { pattern, content, most })
}
