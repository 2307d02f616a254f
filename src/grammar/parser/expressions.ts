/**
 * Grammars as people write them: named rules of sequences, alternatives and repeats. Rules without recursion become
 * terminals, as do those that recur at one of their ends only; the parser is left with what is not regular.
 */
import { EMPTY, NOTHING, type Regex, type Regexes } from '../regex/regexes.ts'
import { tooLarge } from '../regex/too-large.ts'
import { type Rule, Rules, type State } from './rules.ts'

export type Expression =
  | { readonly kind: 'terminal'; readonly regex: Regex }
  | { readonly kind: 'rule'; readonly name: string }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Expression[] }
  | { readonly kind: 'repeat'; readonly body: Expression; readonly min: number; readonly max: number }

interface Grammar {
  readonly regexes: Regexes
  readonly rules: ReadonlyMap<string, Expression>
  readonly start: string
}

export interface CompiledGrammar {
  readonly rules: Rules
  readonly start: Rule
}

/** A rule of more parts stays a rule: as one expression it could be of any size. */
const MOST_PARTS = 5_000
/** Repeats of what is not regular are written out. */
const MOST_COPIES = 10_000

/** @returns `undefined` when no text satisfies the grammar. */
export function compileGrammar({ regexes, rules: named, start }: Grammar): CompiledGrammar | undefined {
  const folded = foldRegular(regexes, named)
  const productive = leastFixpoint(folded, (part, known) => isProductive(part, known))
  if (!productive.has(start)) return undefined
  const nullable = leastFixpoint(folded, (part, known) => isNullable(regexes, part, known))
  const rules = new Rules(regexes)
  const ids = new Map<string, Rule>()
  const ruleOf = (name: string): Rule => {
    const known = ids.get(name)
    if (known !== undefined) return known
    const rule: Rule = rules.rule((from) => {
      const end = rules.state(rule)
      rules.accept(end)
      build(folded.get(name)!, from, end)
    })
    ids.set(name, rule)
    if (nullable.has(name)) rules.setNullable(rule)
    return rule
  }
  const build = (part: Expression, from: State, to: State): void => {
    const rule = rules.ruleOf(from)
    switch (part.kind) {
      case 'terminal':
        rules.terminal(from, part.regex, to)
        return
      case 'rule':
        if (productive.has(part.name)) rules.call(from, ruleOf(part.name), to)
        return
      case 'choice':
        for (const each of part.parts) if (isProductive(each, productive)) build(each, from, to)
        return
      case 'sequence': {
        let at = from
        part.parts.forEach((each, i) => {
          const next = i === part.parts.length - 1 ? to : rules.state(rule)
          build(each, at, next)
          at = next
        })
        if (part.parts.length === 0) rules.empty(from, to)
        return
      }
      case 'repeat':
        buildRepeat(part, from, to)
    }
  }
  const buildRepeat = (part: Expression & { kind: 'repeat' }, from: State, to: State): void => {
    const rule = rules.ruleOf(from)
    const bounded = part.max !== Number.POSITIVE_INFINITY
    const copies = bounded ? part.max : part.min
    if (copies > MOST_COPIES) throw tooLarge(`a repeat of ${copies} times of what is no regular expression`)
    let at = from
    for (let i = 0; i < copies; i++) {
      if (i >= part.min) rules.empty(at, to)
      const next = rules.state(rule)
      if (isProductive(part.body, productive)) build(part.body, at, next)
      at = next
    }
    if (!bounded && isProductive(part.body, productive)) {
      const again = rules.state(rule)
      rules.empty(at, again)
      build(part.body, again, again)
      at = again
    }
    rules.empty(at, to)
  }
  return { rules, start: ruleOf(start) }
}

/** Replaces what is regular by its expression. */
function foldRegular(regexes: Regexes, named: ReadonlyMap<string, Expression>): Map<string, Expression> {
  const folded = new Map(named)
  const weights = new Map<string, number>()
  for (const name of bottomUp(named)) {
    const weight = weightOf(folded.get(name)!, weights)
    const body = withoutEndRecursion(name, inline(folded.get(name)!, folded, weights))
    const regex = weight > MOST_PARTS ? undefined : regexOf(regexes, body)
    if (regex !== undefined) weights.set(name, weight)
    folded.set(name, regex === undefined ? body : { kind: 'terminal', regex })
  }
  return folded
}

/** Names after those that they use, where there is such an order. */
function bottomUp(named: ReadonlyMap<string, Expression>): readonly string[] {
  const order: string[] = []
  const seen = new Set<string>()
  for (const root of named.keys()) {
    const stack: { name: string; uses: string[] }[] = []
    const enter = (name: string): void => {
      if (seen.has(name)) return
      seen.add(name)
      stack.push({ name, uses: [...usesOf(named.get(name)!)] })
    }
    enter(root)
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const use = top.uses.pop()
      if (use !== undefined) enter(use)
      else order.push(stack.pop()!.name)
    }
  }
  return order
}

function usesOf(part: Expression, into = new Set<string>()): Set<string> {
  if (part.kind === 'rule') into.add(part.name)
  else if (part.kind === 'repeat') usesOf(part.body, into)
  else if (part.kind !== 'terminal') for (const each of part.parts) usesOf(each, into)
  return into
}

/** Rules that have become expressions, in their places. */
function inline(
  part: Expression,
  folded: ReadonlyMap<string, Expression>,
  weights: Map<string, number>,
): Expression {
  if (part.kind === 'rule') return weights.has(part.name) ? folded.get(part.name)! : part
  if (part.kind === 'terminal') return part
  if (part.kind === 'repeat') return { ...part, body: inline(part.body, folded, weights) }
  return { ...part, parts: part.parts.map((each) => inline(each, folded, weights)) }
}

/** `x ::= a x | b` is `a* b`; `x ::= x a | b` is `b a*`. */
function withoutEndRecursion(name: string, body: Expression): Expression {
  if (!usesOf(body).has(name)) return body
  const alternatives = (body.kind === 'choice' ? body.parts : [body]).map((each) =>
    each.kind === 'sequence' ? each.parts : [each],
  )
  const isSelf = (part: Expression | undefined) => part?.kind === 'rule' && part.name === name
  const recurs = (parts: readonly Expression[]) => parts.some((part) => usesOf(part).has(name))
  for (const end of ['right', 'left'] as const) {
    const steps: Expression[] = []
    const bases: Expression[] = []
    const fits = alternatives.every((parts) => {
      if (!recurs(parts)) return bases.push({ kind: 'sequence', parts }) > 0
      const rest = end === 'right' ? parts.slice(0, -1) : parts.slice(1)
      if (!isSelf(end === 'right' ? parts.at(-1) : parts[0]) || recurs(rest)) return false
      return steps.push({ kind: 'sequence', parts: rest }) > 0
    })
    if (!fits) continue
    const again: Expression = {
      kind: 'repeat',
      body: { kind: 'choice', parts: steps },
      min: 0,
      max: Number.POSITIVE_INFINITY,
    }
    const base: Expression = { kind: 'choice', parts: bases }
    return { kind: 'sequence', parts: end === 'right' ? [again, base] : [base, again] }
  }
  return body
}

/** Parts, those of rules that have become expressions among them. */
function weightOf(part: Expression, weights: ReadonlyMap<string, number>): number {
  if (part.kind === 'terminal') return 1
  if (part.kind === 'rule') return weights.get(part.name) ?? 1
  if (part.kind === 'repeat') return 1 + weightOf(part.body, weights)
  return part.parts.reduce((sum, each) => sum + weightOf(each, weights), 1)
}

/** `undefined` where a rule is left in it. */
function regexOf(regexes: Regexes, part: Expression): Regex | undefined {
  if (part.kind === 'terminal') return part.regex
  if (part.kind === 'rule') return undefined
  if (part.kind === 'repeat') {
    const body = regexOf(regexes, part.body)
    return body === undefined ? undefined : regexes.repeat(body, part.min, part.max)
  }
  const parts: Regex[] = []
  for (const each of part.parts) {
    const regex = regexOf(regexes, each)
    if (regex === undefined) return undefined
    parts.push(regex)
  }
  return part.kind === 'choice' ? regexes.or(parts) : regexes.concat(...parts, EMPTY)
}

function leastFixpoint(
  named: ReadonlyMap<string, Expression>,
  holds: (part: Expression, known: ReadonlySet<string>) => boolean,
): Set<string> {
  const known = new Set<string>()
  for (let before = -1; before !== known.size; ) {
    before = known.size
    for (const [name, body] of named) if (!known.has(name) && holds(body, known)) known.add(name)
  }
  return known
}

function isProductive(part: Expression, known: ReadonlySet<string>): boolean {
  if (part.kind === 'terminal') return part.regex !== NOTHING
  if (part.kind === 'rule') return known.has(part.name)
  if (part.kind === 'repeat') return part.min === 0 || isProductive(part.body, known)
  const each = (inner: Expression) => isProductive(inner, known)
  return part.kind === 'choice' ? part.parts.some(each) : part.parts.every(each)
}

function isNullable(regexes: Regexes, part: Expression, known: ReadonlySet<string>): boolean {
  if (part.kind === 'terminal') return regexes.isNullable(part.regex)
  if (part.kind === 'rule') return known.has(part.name)
  if (part.kind === 'repeat') return part.min === 0 || isNullable(regexes, part.body, known)
  const each = (inner: Expression) => isNullable(regexes, inner, known)
  return part.kind === 'choice' ? part.parts.some(each) : part.parts.every(each)
}
