/** Calls of tools: documents in the marks that a model's template writes around them, and text before or instead of them. */
import type { CompiledGrammar } from '../parser/expressions.ts'
import type { Rules, State } from '../parser/rules.ts'
import { EMPTY, type Regex, type Regexes } from '../regex/regexes.ts'
import { compileSchema, type SchemaOptions } from './compile-schema.ts'

export interface CallsStructure {
  /** What each call satisfies: an object, written in one line. */
  readonly schema: string
  /** Before and after each call; may be empty. */
  readonly open: string
  readonly close: string
  /** Between two calls; absent: there is one at most. */
  readonly between?: string
  /**
   * `no`: there must be a call. `before`: any text without `open` may come first, and there need be none. `instead`: there
   * is a call, or a text that does not begin as one.
   */
  readonly text: 'no' | 'before' | 'instead'
  readonly options?: SchemaOptions
}

/** @throws SpoutError as `compileSchema` does */
export function compileCalls(regexes: Regexes, calls: CallsStructure): CompiledGrammar {
  const { schema, text, options } = calls
  const call = compileSchema(regexes, schema, { ...options, style: 'line' })
  const { rules } = call
  const start = rules.rule((from) => {
    const parts = { rules, regexes, calls, call: call.start }
    if (text === 'no') {
      addCalls(parts, from)
      return
    }
    const end = rules.state(start)
    rules.accept(end)
    rules.terminal(from, textWithout(regexes, calls), end)
    addCalls(parts, text === 'before' ? end : from)
  })
  if (text !== 'no') rules.setNullable(start)
  return { rules, start }
}

interface CallParts {
  readonly rules: Rules
  readonly regexes: Regexes
  readonly calls: CallsStructure
  readonly call: CompiledGrammar['start']
}

function addCalls({ rules, regexes, calls: { open, close, between }, call }: CallParts, from: State): void {
  const rule = rules.ruleOf(from)
  const [opened, written, closed] = [rules.state(rule), rules.state(rule), rules.state(rule)]
  rules.terminal(from, regexes.literal(open), opened)
  rules.call(opened, call, written)
  rules.terminal(written, regexes.literal(close), closed)
  rules.accept(closed)
  if (between !== undefined) rules.terminal(closed, regexes.literal(`${between}${open}`), opened)
}

function textWithout(regexes: Regexes, { text, open }: CallsStructure): Regex {
  const { all } = regexes
  const isCall =
    text === 'before'
      ? regexes.concat(all, regexes.literal(open.trim()), all)
      : regexes.concat(regexes.star(regexes.words([' ', '\n', '\t'])), regexes.byte(BRACE), all)
  return regexes.and([regexes.not(isCall), regexes.not(EMPTY)])
}

const BRACE = 0x7b
