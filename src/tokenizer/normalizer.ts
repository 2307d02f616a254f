/** The `normalizer` of tokenizer.json: text to text, before it is split. */

import { toByteLevel } from './byte-level.ts'
import { compilePattern, type Pattern } from './pattern.ts'
import { invalid, nestedSteps, type Step } from './tokenizer-json.ts'

export type Normalize = (text: string) => string

/** `undefined` for a type that is not known here. */
export function compileNormalizer(step: Step | null): Normalize | undefined {
  if (step === null) return (text) => text
  switch (step.type) {
    case 'Sequence':
      return compileSequence(nestedSteps(step, 'normalizers', 'normalizer'))
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
      return (text) => (text === '' ? '' : String(step.prepend) + text)
    case 'Strip':
      return (text) => strip(text, step)
    case 'ByteLevel':
      return toByteLevel
    case 'Replace':
      return compileReplace(step)
    default:
      return undefined
  }
}

function compileSequence(steps: readonly Step[]): Normalize | undefined {
  const parts = steps.map(compileNormalizer)
  if (parts.includes(undefined)) return undefined
  return (text) => parts.reduce((result, part) => part!(result), text)
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

function compileReplace(step: Step): Normalize {
  const pattern = compilePattern(step.pattern, 'normalizer.pattern')
  if (typeof step.content !== 'string') throw invalid('normalizer.content', 'is not a text')
  const content = step.content
  return (text) => text.replaceAll(pattern as Pattern & string, () => content)
}
