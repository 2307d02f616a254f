/** `+ - * / // % **`: numbers as Python computes them, and texts and lists that are joined and repeated. */
import type { Budget } from './budget.ts'
import { numeric } from './compare.ts'
import { formatPercent } from './format-percent.ts'
import { TemplateError } from './template-error.ts'
import { Dict, refuseUndefined, Tuple, typeName, type Value } from './values.ts'

/** Whole numbers of more bits are refused, before they are computed. */
const MOST_BITS = 2048

export function calculate(operator: string, left: Value, right: Value, budget: Budget): Value {
  if (operator === '%' && typeof left === 'string') return formatPercent(left, right, budget)
  refuseUndefined(left, right)
  const [a, b] = [numeric(left), numeric(right)]
  if (a !== undefined && b !== undefined) {
    if (typeof a === 'bigint' && typeof b === 'bigint') return checked(calculateWhole(operator, a, b))
    return calculateFloat(operator, Number(a), Number(b))
  }
  return calculateOther(operator, left, right, budget) ?? refuse(operator, left, right)
}

function refuse(operator: string, left: Value, right: Value): never {
  throw new TemplateError(
    `unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`,
  )
}

function calculateOther(operator: string, left: Value, right: Value, budget: Budget): Value | undefined {
  if (operator === '+') return join(left, right, budget)
  if (operator !== '*') return undefined
  if (typeof right === 'bigint' || typeof right === 'boolean') return repeated(left, Number(right), budget)
  if (typeof left === 'bigint' || typeof left === 'boolean') return repeated(right, Number(left), budget)
  return undefined
}

function join(left: Value, right: Value, budget: Budget): Value | undefined {
  if (typeof left === 'string' && typeof right === 'string') {
    budget.text(left.length + right.length)
    return left + right
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    budget.items(left.length + right.length)
    return left.concat(right)
  }
  if (!(left instanceof Tuple && right instanceof Tuple)) return undefined
  budget.items(left.items.length + right.items.length)
  return new Tuple(left.items.concat(right.items))
}

function repeated(value: Value, count: number, budget: Budget): Value | undefined {
  const times = Math.max(0, count)
  if (typeof value === 'string') {
    budget.text(value.length * times)
    return value.repeat(times)
  }
  const items = value instanceof Tuple ? value.items : Array.isArray(value) ? value : undefined
  if (items === undefined || value instanceof Dict) return undefined
  budget.items(items.length * times)
  budget.spend(items.length * times)
  const all: Value[] = []
  for (let i = 0; i < times; i++) for (const item of items) all.push(item)
  return value instanceof Tuple ? new Tuple(all) : all
}

function checked(value: bigint | number): bigint | number {
  if (typeof value === 'bigint' && bitsOf(value) > MOST_BITS)
    throw new TemplateError('computes too large a number')
  return value
}

function bitsOf(value: bigint): number {
  const small = value < 1n << 52n && value > -(1n << 52n)
  return small ? 53 : 4 * value.toString(16).length
}

function calculateWhole(operator: string, a: bigint, b: bigint): bigint | number {
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '**':
      return b < 0n ? calculateFloat('**', Number(a), Number(b)) : power(a, b)
    default:
      if (b === 0n) throw new TemplateError('division by zero')
      if (operator === '/') return Number(a) / Number(b)
      return operator === '//' ? floorDivide(a, b) : a - b * floorDivide(a, b)
  }
}

function power(a: bigint, b: bigint): bigint {
  if (a > 1n || a < -1n) checkPower(a, b)
  return a ** b
}

function checkPower(a: bigint, b: bigint): void {
  if ((a.toString(2).length - 1) * Number(b) > MOST_BITS)
    throw new TemplateError('computes too large a number')
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient
}

function calculateFloat(operator: string, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '**':
      return powerOfFloat(a, b)
    default:
      if (b === 0) throw new TemplateError('division by zero')
      if (operator === '/') return a / b
      return operator === '//' ? Math.floor(a / b) : remainder(a, b)
  }
}

function powerOfFloat(a: number, b: number): number {
  if (a === 0 && b < 0) throw new TemplateError('0.0 cannot be raised to a negative power')
  const result = a ** b
  if (Number.isFinite(result) || !Number.isFinite(a) || !Number.isFinite(b)) return result
  throw new TemplateError('computes too large a number')
}

/** Of the sign of the divisor. */
function remainder(a: number, b: number): number {
  const rest = a % b
  if (rest === 0) return b < 0 ? -0 : 0
  return rest < 0 !== b < 0 ? rest + b : rest
}
