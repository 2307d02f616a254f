/**
 * How ids are chosen, as plain data, and the one check of it. What each field means, and in which order the steps
 * run, is written in docs/sampling.md.
 */
import { SpoutError } from '../errors.ts'
import { MAX_SEED } from './rng.ts'

export interface SamplingParams {
  /** Logits are divided by it; 0 is greedy: the most likely id, no draw, no filters. */
  readonly temperature: number
  /** Keeps the k most likely ids and all ties of the last; 0 is off. */
  readonly topK: number
  /** Keeps the most likely ids until this much probability is reached; 1 is off, 0 keeps one. */
  readonly topP: number
  /** Keeps ids of at least this share of the most likely one's probability; 0 is off. */
  readonly minP: number
  /** Keeps the ids whose surprise is nearest to the entropy until this much probability is reached; 1 is off. */
  readonly typicalP: number
  /** Keeps ids of at least this probability; 0 is off. */
  readonly epsilon: number
  /** As epsilon, but lower where the entropy is high; 0 is off. */
  readonly eta: number
  /** Divides the positive and multiplies the negative logits of the ids in the window; 1 is off. */
  readonly repetitionPenalty: number
  /** Subtracted from the logits of the sampled ids in the window; 0 is off. */
  readonly presencePenalty: number
  /** As presencePenalty, times how often the id was sampled; 0 is off. */
  readonly frequencyPenalty: number
  /** Ids in the window of the three penalties: -1 is the whole context, 0 none. */
  readonly repeatLastN: number
  /** Lets no run of so many ids occur twice in the context; 0 is off. */
  readonly noRepeatNgramSize: number
  /** Added to the logits of these ids. */
  readonly logitBias: ReadonlyMap<number, number>
  /** Never chosen. */
  readonly bannedIds: readonly number[]
  /** The last id of each is not chosen after the ids before it. */
  readonly bannedSequences: readonly (readonly number[])[]
  /** No end id is chosen before this many ids have been. */
  readonly minNewTokens: number
  /** 0 to 2^64 - 1; `undefined` takes a fresh one. */
  readonly seed: bigint | undefined
  /** How many of the most likely ids get their log-probability beside the chosen one's; `undefined` is off. */
  readonly logprobs: number | undefined
}

/** Some of the parameters; a field that is `undefined` counts as absent. */
export type SamplingOptions = { readonly [K in keyof SamplingParams]?: SamplingParams[K] | undefined }

/** Greedy, with every step off. */
export const GREEDY: SamplingParams = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  typicalP: 1,
  epsilon: 0,
  eta: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  repeatLastN: -1,
  noRepeatNgramSize: 0,
  logitBias: new Map(),
  bannedIds: [],
  bannedSequences: [],
  minNewTokens: 0,
  seed: undefined,
  logprobs: undefined,
}

export interface SamplingRange {
  /** As flags and messages spell it. */
  readonly name: string
  readonly min: number
  readonly max: number
  /** Only whole numbers. */
  readonly whole?: boolean
  /** `min` itself is not allowed. */
  readonly above?: boolean
  /** `max` itself is not allowed. */
  readonly below?: boolean
}

const MOST_IDS = 2 ** 20
const MOST_TOKENS = 2 ** 31 - 1

/** What each number may be. */
export const SAMPLING_RANGES = {
  temperature: { name: 'temperature', min: 0, max: 100 },
  topK: { name: 'top-k', min: 0, max: MOST_TOKENS, whole: true },
  topP: { name: 'top-p', min: 0, max: 1 },
  minP: { name: 'min-p', min: 0, max: 1 },
  typicalP: { name: 'typical-p', min: 0, max: 1, above: true },
  epsilon: { name: 'epsilon', min: 0, max: 1, below: true },
  eta: { name: 'eta', min: 0, max: 1, below: true },
  repetitionPenalty: { name: 'repetition-penalty', min: 0.01, max: 100 },
  presencePenalty: { name: 'presence-penalty', min: -2, max: 2 },
  frequencyPenalty: { name: 'frequency-penalty', min: -2, max: 2 },
  repeatLastN: { name: 'repeat-last-n', min: -1, max: MOST_IDS, whole: true },
  noRepeatNgramSize: { name: 'no-repeat-ngram-size', min: 0, max: MOST_IDS, whole: true },
  minNewTokens: { name: 'min-new-tokens', min: 0, max: MOST_TOKENS, whole: true },
  logprobs: { name: 'logprobs', min: 0, max: 100, whole: true },
} as const satisfies Partial<Record<keyof SamplingParams, SamplingRange>>

const RANGED_FIELDS = Object.keys(SAMPLING_RANGES) as (keyof typeof SAMPLING_RANGES)[]
export const BIAS_RANGE: SamplingRange = { name: 'logit-bias', min: -100, max: 100 }
export const ID_RANGE: SamplingRange = { name: 'token id', min: 0, max: MOST_TOKENS, whole: true }

/**
 * Merges layers of options, later ones winning, over `GREEDY`.
 * @throws SpoutError `usage`, with the range, when a value is out of it.
 */
export function resolveSampling(...layers: readonly SamplingOptions[]): SamplingParams {
  const params: SamplingParams = Object.assign({}, GREEDY, ...layers.map(withoutAbsent))
  for (const field of RANGED_FIELDS) {
    const value = params[field]
    if (value !== undefined) checkRange(SAMPLING_RANGES[field], value)
  }
  for (const [id, bias] of params.logitBias) {
    checkRange(ID_RANGE, id)
    checkRange(BIAS_RANGE, bias)
  }
  for (const id of [...params.bannedIds, ...params.bannedSequences.flat()]) checkRange(ID_RANGE, id)
  if (params.bannedSequences.some((ids) => ids.length === 0)) {
    throw new SpoutError('usage', 'banned sequence: it has no ids')
  }
  checkSeed(params.seed)
  return params
}

/** Options over others: an absent one hides none. */
export function overlaid(below: SamplingOptions, above: SamplingOptions): SamplingOptions {
  return { ...below, ...withoutAbsent(above) }
}

/** @throws SpoutError `usage` naming the range. */
function checkRange(range: SamplingRange, value: number): void {
  if (isInRange(range, value)) return
  throw new SpoutError('usage', `${range.name}: ${value} is not ${describeRange(range)}`)
}

export function isInRange(range: SamplingRange, value: unknown): value is number {
  if (typeof value !== 'number' || !(value >= range.min && value <= range.max)) return false
  if (range.whole && !Number.isInteger(value)) return false
  return !(range.above && value === range.min) && !(range.below && value === range.max)
}

/** A range as messages and help spell it: `a number from 0 to 1`. */
export function describeRange({ min, max, whole, above, below }: SamplingRange): string {
  const kind = whole ? 'a whole number' : 'a number'
  if (above) return `${kind} above ${min}, up to ${max}`
  return `${kind} from ${min}${below ? ', below' : ' to'} ${max}`
}

function checkSeed(seed: bigint | undefined): void {
  if (seed === undefined || (seed >= 0n && seed <= MAX_SEED)) return
  throw new SpoutError('usage', `seed: ${seed} is not a whole number from 0 to ${MAX_SEED}`)
}

function withoutAbsent(options: SamplingOptions): SamplingOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
