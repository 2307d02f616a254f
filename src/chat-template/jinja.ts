/**
 * The one door to @huggingface/jinja. A chat template is a program that came with the model: it runs here step by step under
 * a budget of steps and sizes, so that it can neither loop for ever nor fill the memory, whatever it does. Where the library
 * departs from Python's Jinja (`None`, `True`, `strip('x')`, loops over what is undefined), the step is done here.
 */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja'
import { pythonStr, pythonStrip, strftime } from './python-text.ts'
import { type Budget, createBudget, measureInput } from './template-budget.ts'

/** A value inside the interpreter. */
export interface Value {
  readonly type: string
  readonly value: unknown
}

interface Node {
  readonly type: string
  readonly [field: string]: unknown
}

/** What the library's interpreter consists of; its types hide the parts that are replaced here. */
interface Machine {
  evaluate(node: Node | undefined, scope: Environment): Value
  evaluateBlock(nodes: readonly Node[], scope: Environment): Value
  applyFilter(operand: Value, filter: Node, scope: Environment): Value
  evaluateArguments(nodes: readonly Node[], scope: Environment): [Value[], Map<string, Value>]
}

const Base = Interpreter as unknown as new (scope: Environment) => Machine

const toValue = (value: unknown): Value => new Environment().set('value', value) as Value
const ListValue = toValue([]).constructor as new (items: readonly Value[]) => Value
const TextValue = toValue('').constructor as new (text: string) => Value
const listOf = (items: readonly Value[]): Value => new ListValue(items)

export interface TemplateProgram {
  /** @throws Error of the template, of the library, or of the budget. */
  run(variables: Readonly<Record<string, unknown>>, now?: Date): string
}

/** Reads a template with the settings of transformers: `trim_blocks` and `lstrip_blocks`. */
export function compileTemplate(source: string): TemplateProgram {
  const program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })) as unknown as {
    body: Node[]
  }
  return {
    run(variables, now) {
      const scope = new Environment()
      for (const [name, value] of Object.entries({ ...builtins(now), ...variables })) scope.set(name, value)
      const budget = createBudget(source.length + measureInput(variables))
      return new Run(scope, budget).evaluateBlock(program.body, scope).value as string
    },
  }
}

const LONGEST_RANGE = 100_000

function builtins(now = new Date()): Record<string, unknown> {
  return {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    raise_exception(message: unknown) {
      throw new Error(String(message))
    },
    range,
    strftime_now: (format: unknown) => strftime(now, String(format)),
  }
}

function range(from: number, to?: number, step = 1): number[] {
  const [start, end] = to === undefined ? [0, from] : [from, to]
  const count = Math.max(0, Math.ceil((end - start) / step))
  if (!(count <= LONGEST_RANGE)) throw new Error(`range of more than ${LONGEST_RANGE} numbers`)
  return Array.from({ length: count }, (_, i) => start + i * step)
}

/** One run of a template. */
class Run extends Base {
  readonly #budget: Budget
  readonly #looped = new WeakSet<Node>()

  constructor(scope: Environment, budget: Budget) {
    super(scope)
    this.#budget = budget
  }

  override evaluate(node: Node | undefined, scope: Environment): Value {
    this.#budget.step()
    if (node === undefined) return super.evaluate(node, scope)
    if (node.type === 'For') this.#looped.add(iterableOf(node))
    const value = this.#strip(node, scope) ?? super.evaluate(node, scope)
    this.#budget.measure(value)
    return this.#looped.has(node) ? this.#listToLoopOver(value) : value
  }

  /** Writes values as Python's `str` does. */
  override evaluateBlock(nodes: readonly Node[], scope: Environment): Value {
    let text = ''
    for (const node of nodes) {
      const value = this.evaluate(node, scope)
      if (!STATEMENTS.has(node.type) || value.type === 'StringValue') text += pythonStr(value)
      this.#budget.measureText(text)
    }
    return new TextValue(text)
  }

  override applyFilter(operand: Value, filter: Node, scope: Environment): Value {
    const name = filterName(filter)
    const simple = filter.type === 'Identifier'
    if (simple && name === 'trim' && typeof operand.value === 'string')
      return toValue(pythonStrip(operand.value, undefined, 'both'))
    if (simple && name === 'string') return toValue(pythonStr(operand))
    if (simple && name === 'list') return listOf(itemsOf(operand) ?? [])
    if (isNothing(operand) && LIST_FILTERS.has(name))
      return super.applyFilter(listOf([]), filter, scope) ?? toValue(undefined)
    if (operand.type === 'UndefinedValue' && TEXT_FILTERS.has(name))
      return super.applyFilter(toValue(''), filter, scope)
    return super.applyFilter(operand, filter, scope) ?? toValue(undefined)
  }

  #listToLoopOver(value: Value): Value {
    const items = itemsOf(value)
    if (items === undefined) return value
    this.#budget.step(LOOP_COST * items.length)
    return listOf(items.map((item) => (item.type === 'TupleValue' ? listOf(item.value as Value[]) : item)))
  }

  /** `text.strip(chars)` and its sides. */
  #strip(node: Node, scope: Environment): Value | undefined {
    if (node.type !== 'CallExpression') return undefined
    const callee = node.callee as Node
    const side =
      callee.type === 'MemberExpression' && !callee.computed
        ? STRIPS.get((callee.property as Node).value as string)
        : undefined
    if (side === undefined) return undefined
    const object = this.evaluate(callee.object as Node, scope)
    const [[chars]] = this.evaluateArguments(node.args as Node[], scope)
    if (typeof object.value !== 'string')
      throw new Error(`${object.type} has no ${(callee.property as Node).value}`)
    return toValue(pythonStrip(object.value, chars?.value as string | undefined, side))
  }
}

/** Steps that one turn of a loop costs beside its body: the library makes two scopes for it. */
const LOOP_COST = 10

const STRIPS = new Map([
  ['strip', 'both'],
  ['lstrip', 'left'],
  ['rstrip', 'right'],
] as const) as ReadonlyMap<string, 'both' | 'left' | 'right'>

/** Nodes whose value is not written, unless it is text. */
const STATEMENTS = new Set([
  'Set',
  'If',
  'For',
  'Macro',
  'CallStatement',
  'FilterStatement',
  'Comment',
  'Break',
  'Continue',
])

const LIST_FILTERS = new Set([
  'length',
  'count',
  'first',
  'last',
  'reverse',
  'sort',
  'select',
  'reject',
  'selectattr',
  'rejectattr',
  'map',
  'unique',
  'join',
])
const TEXT_FILTERS = new Set(['trim', 'upper', 'lower', 'title', 'capitalize', 'replace', 'indent'])

function filterName(filter: Node): string {
  return String(filter.type === 'CallExpression' ? (filter.callee as Node).value : filter.value)
}

function isNothing(value: Value): boolean {
  return value.type === 'UndefinedValue' || value.type === 'NullValue'
}

function iterableOf(loop: Node): Node {
  const iterable = loop.iterable as Node
  return iterable.type === 'SelectExpression' ? (iterable.lhs as Node) : iterable
}

/** What Python would go through; `undefined` for what it would refuse. */
function itemsOf(value: Value): readonly Value[] | undefined {
  if (value.type === 'UndefinedValue') return []
  if (typeof value.value === 'string') return Array.from(value.value, toValue)
  if (Array.isArray(value.value)) return value.value as Value[]
  if (value.type === 'ObjectValue') return [...(value.value as Map<string, Value>).keys()].map(toValue)
  return undefined
}
