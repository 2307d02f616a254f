/** `==`, `<` and `in`, as Python has them. */
import type { Budget } from './budget.ts'
import { compareTexts } from './characters.ts'
import { TemplateError } from './template-error.ts'
import { Dict, iterate, listed, refuseUndefined, Tuple, typeName, Undefined, type Value } from './values.ts'

export function isEqual(a: Value, b: Value, budget: Budget): boolean {
  budget.spend(1)
  if (typeof a === 'string') {
    if (a !== b) return false
    budget.text(a.length)
    return true
  }
  const x = numeric(a)
  const y = numeric(b)
  // biome-ignore lint/suspicious/noDoubleEquals: 1n == 1
  if (x !== undefined && y !== undefined) return x == y
  if (a instanceof Undefined && b instanceof Undefined) return true
  if (a instanceof Dict && b instanceof Dict) return sameEntries(a, b, budget)
  if (Array.isArray(a) && Array.isArray(b)) return sameItems(a, b, budget)
  if (a instanceof Tuple && b instanceof Tuple) return sameItems(a.items, b.items, budget)
  return a === b
}

function sameItems(a: readonly Value[], b: readonly Value[], budget: Budget): boolean {
  return a.length === b.length && a.every((item, i) => isEqual(item, b[i]!, budget))
}

function sameEntries(a: Dict, b: Dict, budget: Budget): boolean {
  budget.items(a.size)
  if (a.size !== b.size) return false
  return a.entries().every(([key, value]) => b.has(key) && isEqual(value, b.get(key)!, budget))
}

/** A number, or a truth value as one. */
export function numeric(value: Value): bigint | number | undefined {
  if (typeof value === 'bigint' || typeof value === 'number') return value
  return typeof value === 'boolean' ? BigInt(value) : undefined
}

/** Negative, 0 or positive. @throws TemplateError for what has no order. */
export function order(a: Value, b: Value, budget: Budget, operator = '<'): number {
  budget.spend(1)
  if (typeof a === 'string' && typeof b === 'string') {
    budget.items(Math.min(a.length, b.length))
    return compareTexts(a, b)
  }
  const x = numeric(a)
  const y = numeric(b)
  if (x !== undefined && y !== undefined) return x < y ? -1 : x > y ? 1 : x >= y ? 0 : Number.NaN
  if (Array.isArray(a) && Array.isArray(b)) return orderItems(a, b, budget)
  if (a instanceof Tuple && b instanceof Tuple) return orderItems(a.items, b.items, budget)
  refuseUndefined(a, b)
  throw new TemplateError(
    `'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`,
  )
}

function orderItems(a: readonly Value[], b: readonly Value[], budget: Budget): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++)
    if (!isEqual(a[i]!, b[i]!, budget)) return order(a[i]!, b[i]!, budget)
  return a.length - b.length
}

/** `item in holder`. */
export function contains(holder: Value, item: Value, budget: Budget): boolean {
  if (typeof holder === 'string') {
    if (typeof item !== 'string') {
      refuseUndefined(item)
      throw new TemplateError(`'in <string>' requires string as left operand, not ${typeName(item)}`)
    }
    budget.text(holder.length)
    return holder.includes(item)
  }
  if (holder instanceof Dict) return holder.has(item)
  const items = listed(holder) ?? iterate(holder)
  return items.some((other) => isEqual(other, item, budget))
}
