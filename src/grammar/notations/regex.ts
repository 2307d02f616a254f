/** `--regex` and `--choice`. */

import { type CompiledGrammar, compileGrammar } from '../parser/expressions.ts'
import { compileWhole, utf8Spelling } from '../regex/compile-pattern.ts'
import { readPattern } from '../regex/read-pattern.ts'
import { refuse } from '../regex/refuse.ts'
import type { Regexes } from '../regex/regexes.ts'

/** The texts that an ECMAScript regular expression matches as a whole. @throws SpoutError `usage`. */
export function compileRegex(regexes: Regexes, source: string): CompiledGrammar {
  const regex = compileWhole(utf8Spelling(regexes), readPattern(source, 'regex'), 'regex')
  const grammar = compileGrammar({
    regexes,
    rules: new Map([['regex', { kind: 'terminal', regex }]]),
    start: 'regex',
  })
  if (grammar === undefined || regexes.isEmpty(regex)) throw refuse('regex', 'no text matches it')
  return grammar
}

/** One of the texts, as it is. @throws SpoutError `usage`. */
export function compileChoices(regexes: Regexes, choices: readonly string[]): CompiledGrammar {
  if (choices.length === 0) throw refuse('choice', 'no choice is given')
  const bad = choices.find((choice) => choice === '' || /\p{Surrogate}/u.test(choice))
  if (bad !== undefined)
    throw refuse('choice', bad === '' ? 'an empty choice' : 'a choice is not Unicode text')
  const regex = regexes.words(choices)
  const grammar = compileGrammar({
    regexes,
    rules: new Map([['choice', { kind: 'terminal', regex }]]),
    start: 'choice',
  })
  if (grammar === undefined) throw refuse('choice', 'no choice can be written')
  return grammar
}
