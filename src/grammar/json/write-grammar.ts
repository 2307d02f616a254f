/**
 * Normal forms as a grammar of JSON text. Where space may stand is a matter of style, and a document has one style from its first
 * bracket to its last: nothing at all, a space after commas and colons, or a line for each member, indented by its depth. So no
 * space can go on without end, and little is left to choose.
 */
import type { CompiledGrammar } from '../parser/expressions.ts'
import { type Rule, Rules, type State } from '../parser/rules.ts'
import { NOTHING, type Regex, type Regexes } from '../regex/regexes.ts'
import { Decimal } from './decimal.ts'
import type { Conjunction, Graph } from './graph.ts'
import { isArray, isObject, type Json } from './json-text.ts'
import type { NormalForm } from './normal-form.ts'

/** `line`: with spaces or without, and no line breaks. */
export type JsonStyle = 'auto' | 'compact' | 'pretty' | 'line'

interface Style {
  readonly colon: string
  readonly comma: string
  /** Of one level; `undefined`: all in one line. */
  readonly indent: string | undefined
}

const COMPACT: Style = { colon: ':', comma: ',', indent: undefined }
const SPACED: Style = { colon: ': ', comma: ', ', indent: undefined }
const PRETTY: readonly Style[] = ['  ', '    ', '\t'].map((indent) => ({ colon: ': ', comma: ',', indent }))
const STYLES: Record<JsonStyle, readonly Style[]> = {
  auto: [COMPACT, SPACED, ...PRETTY],
  compact: [COMPACT],
  pretty: PRETTY.slice(0, 1),
  line: [COMPACT, SPACED],
}

/** Deeper members stand in one line. */
const MOST_INDENTED = 24

interface Parts {
  readonly regexes: Regexes
  readonly forms: ReadonlyMap<Conjunction, NormalForm>
  readonly root: Conjunction
  readonly style: JsonStyle
}

export function writeGrammar({ regexes, forms, root, style }: Parts): CompiledGrammar {
  const writer = new Writer(regexes, forms)
  const { rules } = writer
  const start: Rule = rules.rule((from) => {
    const end = rules.state(start)
    rules.accept(end)
    rules.terminal(from, forms.get(root)!.scalar, end)
    for (const each of STYLES[style])
      rules.call(from, writer.containers(root, { style: each, depth: 0 }, true), end)
  })
  return { rules, start }
}

interface Layout {
  readonly style: Style
  readonly depth: number
}

class Writer {
  readonly rules: Rules
  readonly #regexes: Regexes
  readonly #forms: ReadonlyMap<Conjunction, NormalForm>
  readonly #rulesOf = new Map<Style, Map<string, Rule>>()

  constructor(regexes: Regexes, forms: ReadonlyMap<Conjunction, NormalForm>) {
    this.rules = new Rules(regexes)
    this.#regexes = regexes
    this.#forms = forms
  }

  /** The arrays and objects of a form. Unless it is the outermost, an indented one may also stand in one line. */
  containers(conjunction: Conjunction, layout: Layout, isOutermost = false): Rule {
    const { style, depth } = layout
    const known = this.#rulesOf.get(style) ?? new Map<string, Rule>()
    this.#rulesOf.set(style, known)
    const key = style.indent === undefined ? `${conjunction}` : `${conjunction},${depth}`
    const found = known.get(key)
    if (found !== undefined) return found
    const rule: Rule = this.rules.rule((from) => {
      const end = this.rules.state(rule)
      this.rules.accept(end)
      const { values, graphs } = this.#forms.get(conjunction)!
      if (style.indent === undefined || depth < MOST_INDENTED) {
        for (const value of values)
          this.rules.terminal(from, this.#regexes.literal(spell(value, layout)), end)
        for (const graph of graphs) this.#write(graph, { from, end, layout })
      }
      if (style.indent !== undefined && !isOutermost)
        this.rules.call(from, this.containers(conjunction, { style: SPACED, depth: 0 }), end)
    })
    known.set(key, rule)
    return rule
  }

  #write(graph: Graph, { from, end, layout }: { from: State; end: State; layout: Layout }): void {
    const { rules } = this
    const rule = rules.ruleOf(from)
    const marks = marksOf(graph.type, layout)
    const states = new Map<number, State>()
    const inner = { style: layout.style, depth: layout.depth + 1 }
    const stateOf = (id: number): State => {
      const known = states.get(id)
      if (known !== undefined) return known
      const state: State = rules.state(rule, () => expand(id, state))
      states.set(id, state)
      return state
    }
    const expand = (id: number, state: State): void => {
      const { edges, empties, accepts, isWritten } = graph.states[id]!
      for (const to of empties) rules.empty(state, stateOf(to))
      if (accepts) rules.terminal(state, this.#regexes.literal(isWritten ? marks.close : marks.none), end)
      for (const { key, value, to } of edges) {
        const before = this.#regexes.literal(isWritten ? marks.comma : marks.open)
        const between = rules.state(rule, () =>
          this.#value(value, { from: between, to: stateOf(to), layout: inner }),
        )
        rules.terminal(state, key === undefined ? before : this.#key(before, key, marks.colon), between)
      }
    }
    rules.empty(from, stateOf(0))
  }

  #key(before: Regex, key: Regex, colon: string): Regex {
    const quote = this.#regexes.byte(0x22)
    return this.#regexes.concat(before, quote, key, quote, this.#regexes.literal(colon))
  }

  #value(value: Conjunction, { from, to, layout }: { from: State; to: State; layout: Layout }): void {
    const { scalar, values, graphs } = this.#forms.get(value)!
    if (scalar !== NOTHING) this.rules.terminal(from, scalar, to)
    if (values.length + graphs.length > 0) this.rules.call(from, this.containers(value, layout), to)
  }
}

interface Marks {
  readonly open: string
  readonly none: string
  readonly comma: string
  readonly close: string
  readonly colon: string
}

function marksOf(type: 'object' | 'array', { style, depth }: Layout): Marks {
  const [open, close] = type === 'object' ? ['{', '}'] : ['[', ']']
  const inside = style.indent === undefined ? '' : `\n${style.indent.repeat(depth + 1)}`
  const outside = style.indent === undefined ? '' : `\n${style.indent.repeat(depth)}`
  return {
    open: open + inside,
    none: open + close,
    comma: style.comma + inside,
    close: outside + close,
    colon: style.colon,
  }
}

/** A value as text, without spaces. */
export function writeCompact(value: Json): string {
  return spell(value, { style: COMPACT, depth: 0 })
}

/** A value as text. */
function spell(value: Json, layout: Layout): string {
  if (value instanceof Decimal) return value.toString()
  if (!isArray(value) && !isObject(value)) return JSON.stringify(value)
  const marks = marksOf(isArray(value) ? 'array' : 'object', layout)
  const inner = { style: layout.style, depth: layout.depth + 1 }
  const members = isArray(value)
    ? value.map((item) => spell(item, inner))
    : [...value].map(([key, item]) => JSON.stringify(key) + marks.colon + spell(item, inner))
  return members.length === 0 ? marks.none : marks.open + members.join(marks.comma) + marks.close
}
