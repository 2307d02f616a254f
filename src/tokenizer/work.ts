/**
 * What looking tokens up may cost for one text. Each look-up reads as many code units as the token has; a vocabulary with tokens
 * of thousands of lengths would make each place of a text cost millions. Counted, not timed: the same text and tokenizer work, or
 * do not, on every machine.
 */
import { SpoutError } from '../errors.ts'

export interface Work {
  /** Before a text of so many code units. */
  begin(length: number): void
  /** @throws SpoutError `config` when the text has cost too much. */
  spend(units: number): void
}

/** Tokenizers in use read some ten to two hundred code units at each place. */
const UNITS_PER_PLACE = 1000
const FREE_UNITS = 20_000_000
/** A few seconds. */
const MOST_UNITS = 2_000_000_000

export function createWork(): Work {
  let left = FREE_UNITS
  return {
    begin(length) {
      left = Math.min(FREE_UNITS + UNITS_PER_PLACE * length, MOST_UNITS)
    },
    spend(units) {
      left -= units
      if (left < 0)
        throw new SpoutError('config', 'tokenizer.json: finding its tokens in this text takes too long')
    },
  }
}
