/**
 * JSON Schema as a grammar. Everything that a document can reach is looked at first: what cannot be enforced is refused then, with
 * its place, and what nothing can satisfy is cut off. The grammar itself is made as it is walked.
 */
import type { CompiledGrammar } from '../parser/expressions.ts'
import type { State } from '../parser/rules.ts'
import { refuse } from '../regex/refuse.ts'
import { NOTHING, type Regexes } from '../regex/regexes.ts'
import type { Conjunction } from './graph.ts'
import { type Json, parseJson } from './json-text.ts'
import { type NormalForm, NormalForms } from './normal-form.ts'
import { SchemaDocument } from './schema-document.ts'
import { type JsonStyle, writeGrammar } from './write-grammar.ts'

export interface SchemaOptions {
  /** Where space stands between the parts of a document. Default `auto`: as the model begins, in one of the usual ways. */
  readonly style?: JsonStyle
  /** Objects that do not say otherwise take no keys but those they name. Default false, as the standard has it. */
  readonly closed?: boolean
}

const MOST_BYTES = 4 * 1024 * 1024
const MOST_CONJUNCTIONS = 100_000

/**
 * @param schema the text of a schema.
 * @throws SpoutError `usage`, `schema: <pointer>: …`; `data` where it is too large.
 */
export function compileSchema(
  regexes: Regexes,
  schema: string,
  options: SchemaOptions = {},
): CompiledGrammar {
  if (Buffer.byteLength(schema) > MOST_BYTES) throw refuse('schema', 'it is larger than 4 MiB')
  return compileJson(regexes, parseJson(schema, 'schema'), options)
}

interface ItemsStructure {
  readonly schema: string
  /** How many there are. Default: any number. */
  readonly min?: number
  readonly max?: number
  readonly options?: SchemaOptions
}

/** Documents that satisfy a schema, each on a line of its own. @throws SpoutError as `compileSchema` does. */
export function compileItems(
  regexes: Regexes,
  { schema, min = 0, max = Number.POSITIVE_INFINITY, options }: ItemsStructure,
): CompiledGrammar {
  if (min > max) throw refuse('items', `at least ${min} and at most ${max} of them`)
  const item = compileSchema(regexes, schema, { ...options, style: 'line' })
  const { rules } = item
  const start = rules.rule((from) => addItem(from, 0))
  const lineEnd = regexes.byte(0x0a)
  const addItem = (from: State, count: number): void => {
    if (count >= min) rules.accept(from)
    if (count >= max) return
    // Beyond the least number, where there is no greatest, the next state is this one.
    const isLoop = count >= min && max === Number.POSITIVE_INFINITY
    const end: State = isLoop ? from : rules.state(start, () => addItem(end, count + 1))
    const written = rules.state(start)
    rules.call(from, item.start, written)
    rules.terminal(written, lineEnd, end)
  }
  if (min === 0) rules.setNullable(start)
  return { rules, start }
}

/** Any JSON value, or any object or array. */
export function compileAnyJson(
  regexes: Regexes,
  kind: 'json' | 'object' | 'array',
  options: SchemaOptions = {},
): CompiledGrammar {
  return compileJson(regexes, kind === 'json' ? true : new Map([['type', kind]]), options)
}

function compileJson(
  regexes: Regexes,
  schema: Json,
  { style = 'auto', closed = false }: SchemaOptions,
): CompiledGrammar {
  const document = new SchemaDocument(schema)
  const forms = new NormalForms(regexes, document, { closed })
  const root = forms.conjunction([2 * document.root.id])
  const all = reachable(forms, root)
  const productive = findProductive(all)
  if (!productive.has(root)) throw refuse('schema', 'no document satisfies it')
  const isProductive = (conjunction: Conjunction) => productive.has(conjunction)
  for (const { graphs } of all.values()) for (const graph of graphs) graph.prune(isProductive)
  return writeGrammar({ regexes, forms: all, root, style })
}

function reachable(forms: NormalForms, root: Conjunction): Map<Conjunction, NormalForm> {
  const all = new Map<Conjunction, NormalForm>()
  const open = [root]
  const seen = new Set(open)
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const form = forms.of(at)
    all.set(at, form)
    for (const graph of form.graphs)
      for (const child of graph.children) {
        if (seen.has(child)) continue
        seen.add(child)
        open.push(child)
      }
    if (seen.size > MOST_CONJUNCTIONS) throw refuse('schema', 'it has too many parts')
  }
  return all
}

/** Those that a finite document satisfies. Parts come before what they are part of, nearly always, when gone through backwards. */
function findProductive(all: ReadonlyMap<Conjunction, NormalForm>): Set<Conjunction> {
  const productive = new Set<Conjunction>()
  const backwards = [...all].reverse()
  const has = (value: Conjunction) => productive.has(value)
  for (let before = -1; before !== productive.size; ) {
    before = productive.size
    for (const [conjunction, { scalar, values, graphs }] of backwards) {
      if (productive.has(conjunction)) continue
      if (scalar !== NOTHING || values.length > 0 || graphs.some((graph) => graph.isProductive(has)))
        productive.add(conjunction)
    }
  }
  return productive
}
