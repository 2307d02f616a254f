/** Expressions of a template, step by step under a budget. */
import { calculate } from './arithmetic.ts'
import { getAttribute, getItem, getSlice } from './attributes.ts'
import type { Budget } from './budget.ts'
import { contains, isEqual, numeric, order } from './compare.ts'
import type { Context } from './context.ts'
import { FILTERS } from './filters.ts'
import { spreadItems } from './list-filters.ts'
import type { Scope } from './scope.ts'
import type { CallArguments, Expression } from './syntax.ts'
import { TemplateError } from './template-error.ts'
import { TESTS } from './tests.ts'
import {
  type Arguments,
  Dict,
  isTrue,
  orUndefined,
  refuseUndefined,
  Thing,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts'
import { str } from './write.ts'

export class Evaluator {
  readonly budget: Budget
  readonly #context: Context

  constructor(budget: Budget) {
    this.budget = budget
    this.#context = {
      budget,
      getAttribute: (object, name) => getAttribute(object, name, this.#context),
      getItem: (object, key) => getItem(object, key, this.#context),
      applyFilter: (name, operand, args) => this.applyFilter(name, operand, args),
      applyTest: (name, operand, args) => this.#applyTest(name, operand, args),
      hasFilter: (name) => FILTERS.has(name),
      hasTest: (name) => TESTS.has(name),
    }
  }

  evaluate(node: Expression, scope: Scope): Value {
    this.budget.spend(1)
    switch (node.type) {
      case 'const':
        return node.value
      case 'name':
        return orUndefined(scope.get(node.name), `'${node.name}' is undefined`)
      case 'list':
        return node.items.map((item) => this.evaluate(item, scope))
      case 'tuple':
        return new Tuple(node.items.map((item) => this.evaluate(item, scope)))
      case 'dict':
        return new Dict(
          node.pairs.map(([key, value]) => [this.evaluate(key, scope), this.evaluate(value, scope)]),
        )
      case 'attribute':
        return getAttribute(this.evaluate(node.object, scope), node.name, this.#context)
      case 'item':
        return getItem(this.evaluate(node.object, scope), this.evaluate(node.key, scope), this.#context)
      case 'slice':
        return this.#slice(node, scope)
      case 'call':
        return this.call(this.evaluate(node.callee, scope), this.arguments(node.args, scope))
      case 'filter':
        return this.applyFilter(
          node.name,
          this.evaluate(node.operand, scope),
          this.arguments(node.args, scope),
        )
      case 'test':
        return this.#applyTest(
          node.name,
          this.evaluate(node.operand, scope),
          this.arguments(node.args, scope),
        )
      default:
        return this.#operate(node, scope)
    }
  }

  #operate(node: OperatorNode, scope: Scope): Value {
    switch (node.type) {
      case 'not':
        return !isTrue(this.evaluate(node.operand, scope))
      case 'negative':
      case 'positive':
        return this.#signed(node.type, this.evaluate(node.operand, scope))
      case 'and':
      case 'or': {
        const left = this.evaluate(node.left, scope)
        return isTrue(left) === (node.type === 'and') ? this.evaluate(node.right, scope) : left
      }
      case 'binary':
        return calculate(
          node.operator,
          this.evaluate(node.left, scope),
          this.evaluate(node.right, scope),
          this.budget,
        )
      case 'concat':
        return this.#concat(node.parts.map((part) => this.evaluate(part, scope)))
      case 'compare':
        return this.#compare(node, scope)
      case 'condition':
        if (isTrue(this.evaluate(node.test, scope))) return this.evaluate(node.yes, scope)
        return node.no === undefined
          ? new Undefined('an if without else has no value')
          : this.evaluate(node.no, scope)
    }
  }

  #slice({ object, slice }: Extract<Expression, { type: 'slice' }>, scope: Scope): Value {
    const part = (node: Expression | undefined): Value =>
      node === undefined ? null : this.evaluate(node, scope)
    const value = this.evaluate(object, scope)
    const bounds = { start: part(slice.start), stop: part(slice.stop), step: part(slice.step) }
    return getSlice(value, bounds, this.#context)
  }

  #signed(sign: 'negative' | 'positive', value: Value): Value {
    refuseUndefined(value)
    const number = numeric(value)
    if (number === undefined) throw new TemplateError(`bad operand type for unary sign: '${typeName(value)}'`)
    return sign === 'negative' ? -number : number
  }

  #concat(parts: readonly Value[]): Value {
    const texts = parts.map((part) => str(part, this.budget))
    this.budget.text(texts.reduce((length, text) => length + text.length, 0))
    return texts.join('')
  }

  #compare({ first, rest }: Extract<Expression, { type: 'compare' }>, scope: Scope): Value {
    let left = this.evaluate(first, scope)
    for (const { operator, operand } of rest) {
      const right = this.evaluate(operand, scope)
      if (!this.#holds(operator, left, right)) return false
      left = right
    }
    return true
  }

  #holds(operator: string, left: Value, right: Value): boolean {
    if (operator === '==' || operator === '!=')
      return isEqual(left, right, this.budget) === (operator === '==')
    if (operator === 'in' || operator === 'not in')
      return contains(right, left, this.budget) === (operator === 'in')
    const sign = order(left, right, this.budget, operator)
    if (sign === 0) return operator.endsWith('=')
    return operator.startsWith('<') ? sign < 0 : sign > 0
  }

  call(callee: Value, args: Arguments): Value {
    refuseUndefined(callee)
    if (!(callee instanceof Thing) || callee.call === undefined)
      throw new TemplateError(`'${typeName(callee)}' object is not callable`)
    return callee.call(args)
  }

  arguments({ positional, named, spread, namedSpread }: CallArguments, scope: Scope): Arguments {
    const values = positional.map((node) => this.evaluate(node, scope))
    if (spread !== undefined) values.push(...spreadItems(this.evaluate(spread, scope), this.budget))
    const byName = new Map(named.map(([name, node]) => [name, this.evaluate(node, scope)]))
    const more = namedSpread === undefined ? undefined : this.evaluate(namedSpread, scope)
    if (more !== undefined && !(more instanceof Dict))
      throw new TemplateError('argument after ** must be a mapping')
    for (const [name, value] of more?.entries() ?? []) byName.set(str(name, this.budget), value)
    return { positional: values, named: byName }
  }

  applyFilter(name: string, operand: Value, args: Arguments): Value {
    const filter = FILTERS.get(name)
    if (filter === undefined) throw new TemplateError(`no filter named '${name.slice(0, 80)}'`)
    this.budget.spend(1)
    return filter(operand, args, this.#context)
  }

  #applyTest(name: string, operand: Value, args: Arguments): boolean {
    const test = TESTS.get(name)
    if (test === undefined) throw new TemplateError(`no test named '${name.slice(0, 80)}'`)
    this.budget.spend(1)
    return test(operand, args, this.#context)
  }
}

type OperatorNode = Exclude<
  Expression,
  {
    type:
      | 'const'
      | 'name'
      | 'list'
      | 'tuple'
      | 'dict'
      | 'attribute'
      | 'item'
      | 'slice'
      | 'call'
      | 'filter'
      | 'test'
  }
>
