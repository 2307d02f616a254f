/** What a sequence is made of, and what it counts. */
import type { KvCache } from '../backend/backend.ts'
import type { Drafter } from '../drafting/drafter.ts'
import type { Constraint } from '../grammar/constraint.ts'
import type { Sampler } from '../sampling/sampler.ts'
import type { Trace } from '../trace.ts'
import type { FinishReason } from './stop-criteria.ts'
import type { TextOut } from './text-out.ts'

export interface SequenceParts {
  /** Absent: `moveTo` gives it one, before the first `next`. */
  readonly kv?: KvCache | undefined
  /** What the text begins with: at least one id that `kv` does not hold. */
  readonly prompt: Int32Array
  /** How many ids of the prompt, from the first on, `kv` holds already. Default 0. */
  readonly held?: number
  readonly sampler: Sampler
  /** The first that has a guess is asked. */
  readonly drafters?: readonly Drafter[]
  /** What the text must satisfy: the sampler's mask. */
  readonly constraint?: Constraint | undefined
  /** What must come is run ahead, as guesses. Only where the rows of a run are exact. */
  readonly jump?: boolean
  readonly out: TextOut
  readonly limits: Limits
  readonly trace?: Trace | undefined
  /** Ids of the prompt done, and in all; those held before count as neither. */
  readonly onPrefill?: ((done: number, total: number) => void) | undefined
}

export interface Limits {
  /** Ids to choose at most. */
  readonly budget: number
  /** What it means that the budget is spent. */
  readonly atBudget: FinishReason
  /** Ids that end the text. */
  readonly stopIds: ReadonlySet<number>
  /** Guesses of one step. Default 8. */
  readonly mostDrafts?: number
}

/** What became of the guesses of drafters. */
export interface DraftCounts {
  /** Runs that an id was chosen from. */
  steps: number
  /** Ids that were guessed, and those of them that were chosen. */
  drafted: number
  accepted: number
}

/** What became of the guesses of a constraint. */
export interface ForcedCounts {
  /** Ids where nothing else was allowed. */
  forced: number
  /** Ids that were guessed, and those of them that were not chosen. */
  drafted: number
  rejected: number
}
