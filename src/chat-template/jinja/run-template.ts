/** Statements of a template: what they write, and what they set. */
import type { Budget } from './budget.ts'
import { Evaluator } from './evaluator.ts'
import { Loop } from './loop.ts'
import { namesIn } from './named-in.ts'
import { Scope } from './scope.ts'
import type { FilterCall, Signature, Statement, Target } from './syntax.ts'
import { TemplateError } from './template-error.ts'
import {
  type Arguments,
  Dict,
  isTrue,
  iterate,
  Namespace,
  orUndefined,
  Thing,
  Tuple,
  Undefined,
  type Value,
} from './values.ts'
import { str } from './write.ts'

type Body = readonly Statement[]
type Node<T extends Statement['type']> = Extract<Statement, { type: T }>
/** Why a body ended before its end. */
type Jump = 'break' | 'continue' | undefined

/** Calls of macros within macros; Python gives up at a few hundred as well. */
const DEEPEST = 200

export function runTemplate(body: Body, scope: Scope, budget: Budget): string {
  return new Run(budget).capture(body, scope)
}

class Run {
  readonly #evaluator: Evaluator
  readonly #budget: Budget
  #text = ''
  #depth = 0

  constructor(budget: Budget) {
    this.#budget = budget
    this.#evaluator = new Evaluator(budget)
  }

  /** What a body writes. */
  capture(body: Body, scope: Scope): string {
    const before = this.#text
    this.#text = ''
    this.#run(body, scope)
    const text = this.#text
    this.#text = before
    return text
  }

  #write(text: string): void {
    this.#budget.text(text.length)
    this.#budget.room(this.#text.length + text.length)
    this.#text += text
  }

  #run(body: Body, scope: Scope): Jump {
    for (const node of body) {
      this.#budget.spend(1)
      const jump = this.#runOne(node, scope)
      if (jump !== undefined) return jump
    }
    return undefined
  }

  #runOne(node: Statement, scope: Scope): Jump {
    switch (node.type) {
      case 'data':
        return this.#write(node.text) as undefined
      case 'output':
        return this.#write(str(this.#evaluator.evaluate(node.value, scope), this.#budget)) as undefined
      case 'if':
        return this.#run(
          isTrue(this.#evaluator.evaluate(node.test, scope)) ? node.body : node.otherwise,
          scope,
        )
      case 'for':
        return this.#for(node, { scope, depth: 0 })
      case 'break':
      case 'continue':
        return node.type
      case 'scope':
        return this.#run(node.body, new Scope(scope))
      case 'with':
        return this.#with(node, scope)
      default:
        this.#define(node, scope)
        return undefined
    }
  }

  #define(node: DefiningNode, scope: Scope): void {
    if (node.type === 'set') this.#assign(node.target, this.#evaluator.evaluate(node.value, scope), scope)
    else if (node.type === 'set-block') this.#assign(node.target, this.#filtered(node, scope), scope)
    else if (node.type === 'filter-block') this.#write(str(this.#filtered(node, scope), this.#budget))
    else if (node.type === 'macro') scope.set(node.name, this.#macro(node.name, node, scope))
    else this.#callBlock(node, scope)
  }

  #filtered({ filters, body }: { filters: readonly FilterCall[]; body: Body }, scope: Scope): Value {
    return filters.reduce<Value>(
      (value, { name, args }) =>
        this.#evaluator.applyFilter(name, value, this.#evaluator.arguments(args, scope)),
      this.capture(body, new Scope(scope)),
    )
  }

  #with({ assignments, body }: Node<'with'>, scope: Scope): Jump {
    const inner = new Scope(scope)
    for (const [target, value] of assignments)
      this.#assign(target, this.#evaluator.evaluate(value, scope), inner)
    return this.#run(body, inner)
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    if (target.type === 'name') scope.set(target.name, value)
    else if (target.type === 'tuple') this.#unpack(target.items, value, scope)
    else {
      const object = scope.get(target.object)
      if (!(object instanceof Namespace))
        throw new TemplateError('cannot assign attribute on non-namespace object')
      object.variables.set(target.name, value)
    }
  }

  #unpack(targets: readonly Target[], value: Value, scope: Scope): void {
    const items = iterate(value)
    if (items.length !== targets.length)
      throw new TemplateError(
        items.length < targets.length
          ? `not enough values to unpack (expected ${targets.length}, got ${items.length})`
          : `too many values to unpack (expected ${targets.length})`,
      )
    for (const [i, target] of targets.entries()) this.#assign(target, items[i]!, scope)
  }

  #for(
    node: Node<'for'>,
    { scope, depth, items }: { scope: Scope; depth: number; items?: Value },
  ): undefined {
    const all = items !== undefined ? items : this.#evaluator.evaluate(node.iterable, scope)
    if (typeof all === 'string') this.#budget.items(all.length)
    const recurse = (more: Value, level: number) =>
      this.#nested(() => this.#for(node, { scope, depth: level, items: more }))
    const loop = new Loop({
      items: this.#chosen(node, iterate(all), scope),
      budget: this.#budget,
      depth,
      recurse: node.recursive ? recurse : undefined,
    })
    const first = loop.next()
    if (first === undefined) return void this.#run(node.otherwise, new Scope(scope))
    for (let item: Value | undefined = first; item !== undefined; item = loop.next()) {
      this.#budget.spend(LOOP_COST)
      const inner = new Scope(scope)
      inner.set('loop', loop)
      this.#assign(node.target, item, inner)
      if (this.#run(node.body, inner) === 'break') return
    }
  }

  /** The items that the loop's own `if` lets through, one at a time. */
  *#chosen({ target, test }: Node<'for'>, items: readonly Value[], scope: Scope): Generator<Value> {
    for (const item of items) {
      this.#budget.spend(1)
      const inner = new Scope(scope)
      if (test !== undefined) this.#assign(target, item, inner)
      if (test === undefined || isTrue(this.#evaluator.evaluate(test, inner))) yield item
    }
  }

  /** What is written meanwhile, as a value. */
  #nested(work: () => void): string {
    if (++this.#depth > DEEPEST) throw new TemplateError('nests too deeply')
    const before = this.#text
    this.#text = ''
    work()
    const text = this.#text
    this.#text = before
    this.#depth--
    return text
  }

  #macro(owner: string, { signature, body }: { signature: Signature; body: Body }, scope: Scope): Thing {
    const names = namesIn(body)
    return new Thing(`Macro '${owner}'`, (args) => {
      this.#budget.spend(LOOP_COST)
      const inner = new Scope(scope)
      this.#bind({ owner, signature, names }, args, inner)
      return this.#nested(() => this.#run(body, inner))
    })
  }

  /** Parameters from the left, then by name; what is over is refused, unless the body asks for it. */
  #bind({ owner, signature, names }: MacroFacts, { positional, named }: Arguments, scope: Scope): void {
    const rest = new Map(named)
    const isFree = (name: string): boolean => names.has(name) && !signature.names.includes(name)
    if (isFree('caller')) {
      scope.set('caller', orUndefined(rest.get('caller'), 'No caller defined'))
      rest.delete('caller')
    }
    const firstDefault = signature.names.length - signature.defaults.length
    signature.names.forEach((name, i) => {
      const given = i < positional.length ? positional[i] : rest.get(name)
      if (i >= positional.length) rest.delete(name)
      const fallback = signature.defaults[i - firstDefault]
      const missing = () =>
        fallback === undefined
          ? new Undefined(`parameter '${name}' was not provided`)
          : this.#evaluator.evaluate(fallback, scope)
      scope.set(name, given === undefined ? missing() : given)
    })
    if (isFree('kwargs')) scope.set('kwargs', new Dict(rest))
    else if (rest.size > 0)
      throw new TemplateError(`macro '${owner}' takes no keyword argument '${[...rest.keys()][0]}'`)
    const more = positional.slice(signature.names.length)
    if (isFree('varargs')) scope.set('varargs', new Tuple(more))
    else if (more.length > 0)
      throw new TemplateError(`macro '${owner}' takes not more than ${signature.names.length} argument(s)`)
  }

  #callBlock({ call, signature, body }: Node<'call-block'>, scope: Scope): void {
    const caller = this.#macro('caller', { signature, body }, scope)
    const { positional, named } = this.#evaluator.arguments(call.args, scope)
    const args = { positional, named: new Map([...named, ['caller', caller]]) }
    this.#write(str(this.#evaluator.call(this.#evaluator.evaluate(call.callee, scope), args), this.#budget))
  }
}

interface MacroFacts {
  readonly owner: string
  readonly signature: Signature
  /** That its body looks up. */
  readonly names: ReadonlySet<string>
}

type DefiningNode = Exclude<
  Statement,
  { type: 'data' | 'output' | 'if' | 'for' | 'break' | 'continue' | 'scope' | 'with' }
>

/** Steps that one turn of a loop costs beside its body. */
const LOOP_COST = 5
