/**
 * What a template may spend. Steps bound its time without a clock (the same template fails or works on every machine), the
 * size of every value bounds its memory. Both grow with the input, so that a long chat has room.
 */
import type { Value } from './jinja.ts'

export interface Budget {
  /** Spends steps. */
  step(count?: number): void
  /** Refuses a value that is too large, and spends for its size. */
  measure(value: Value): void
  measureText(text: string): void
}

/** A long template over a hundred messages takes some ten thousand steps; a million take about a second. */
const STEPS = 1_000_000
const STEPS_PER_CHARACTER = 8
const MOST_STEPS = 5_000_000
const FREE_SIZE = 1 << 20

class BudgetError extends Error {}

/** @param input characters of the template and of what it is given. */
export function createBudget(input: number): Budget {
  const largest = 4 * input + FREE_SIZE
  let left = Math.min(STEPS + STEPS_PER_CHARACTER * input, MOST_STEPS)
  const weights = new WeakMap<object, number>()

  function step(count = 1): void {
    left -= count
    if (left < 0) throw new BudgetError('takes too long')
  }

  function measureText(text: string): void {
    if (text.length > largest) throw new BudgetError('writes too much')
  }

  function measure(value: Value): void {
    if (typeof value.value === 'string') {
      measureText(value.value)
      if (value.value.length > 64) step(value.value.length >> 6)
    } else if (isContainer(value) && !weights.has(value)) {
      weigh(value, 0)
      step(sizeOf(value) >> 2)
    }
  }

  /** All that hangs on a value, each time it hangs there: as much as writing it out would take. */
  function weigh(value: Value, depth: number): number {
    if (typeof value.value === 'string') return 1 + value.value.length
    if (!isContainer(value)) return 1
    const known = weights.get(value)
    if (known !== undefined) return known
    if (depth > 100) throw new BudgetError('nests too deeply')
    let weight = 1
    for (const item of childrenOf(value)) weight += weigh(item, depth + 1)
    if (weight > largest) throw new BudgetError('makes too large a value')
    if (value.type !== 'NamespaceValue') weights.set(value, weight)
    return weight
  }

  return { step, measure, measureText }
}

function isContainer(value: Value): boolean {
  return typeof value.value === 'object' && value.value !== null
}

function sizeOf({ value }: Value): number {
  return value instanceof Map ? value.size : (value as Value[]).length
}

function childrenOf(value: Value): Iterable<Value> {
  return value.value instanceof Map ? value.value.values() : (value.value as Value[])
}

/** Characters of plain data, and one for each of its values. */
export function measureInput(data: unknown): number {
  if (typeof data === 'string') return data.length + 1
  if (typeof data !== 'object' || data === null) return 1
  return Object.entries(data).reduce((sum, [key, item]) => sum + key.length + measureInput(item), 1)
}
