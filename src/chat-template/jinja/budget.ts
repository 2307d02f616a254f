/**
 * What a template may spend. Steps bound its time without a clock (the same template fails or works on every machine), the
 * size of every value bounds its memory. Whatever makes or reads through a value pays for its length first. Both bounds
 * grow with the input, so that a long chat has room.
 */
import { TemplateError } from './template-error.ts'

export interface Budget {
  /** Spends steps. */
  spend(steps: number): void
  /** Spends for a text of so many code units that is made or read through, and refuses one that is too long. */
  text(length: number): void
  /** The same for a list of so many items. */
  items(count: number): void
  /** Refuses a text that is too long, and spends nothing: what it consists of was paid for. */
  room(length: number): void
}

/** A long template over a hundred messages takes some ten thousand steps; a million take about a tenth of a second. */
const STEPS = 1_000_000
const STEPS_PER_CHARACTER = 8
const MOST_STEPS = 5_000_000
const FREE_SIZE = 1 << 20

/** @param input characters of the template and of what it is given. */
export function createBudget(input: number): Budget {
  const largest = 4 * input + FREE_SIZE
  let left = Math.min(STEPS + STEPS_PER_CHARACTER * input, MOST_STEPS)

  function spend(steps: number): void {
    left -= steps
    if (!(left >= 0)) throw new TemplateError('takes too long')
  }

  function room(length: number): void {
    if (!(length <= largest)) throw new TemplateError('writes too much')
  }

  return {
    spend,
    room,
    text(length) {
      room(length)
      spend(length >> 6)
    },
    items(count) {
      if (!(count <= largest)) throw new TemplateError('makes too large a value')
      spend(count >> 2)
    },
  }
}

/** Characters of plain data, and one for each of its values. */
export function measureInput(data: unknown): number {
  if (typeof data === 'string') return data.length + 1
  if (typeof data !== 'object' || data === null) return 1
  return Object.entries(data).reduce((sum, [key, item]) => sum + key.length + measureInput(item), 1)
}
