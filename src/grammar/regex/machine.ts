import type { ByteSet } from './byte-sets.ts'

/** An automaton that is easier to count with than to write as an expression. From each of its states an end can be reached. */
export interface Machine {
  readonly start: number
  /** Bytes of one set, or of none, lead from each state to the same one. */
  readonly sets: readonly ByteSet[]
  /** The state after `byte`; -1 where there is none. */
  step(state: number, byte: number): number
  accepts(state: number): boolean
}
