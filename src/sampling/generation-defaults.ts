/**
 * The model author's sampling, from generation_config.json: what `generate()` of Python's transformers does with the
 * file. A field that is absent, null or invalid has that library's default (temperature 1, top-k 50, the rest off).
 * Without `do_sample: true` decoding is greedy; the other fields then wait for a temperature from elsewhere.
 */

import { quote } from '../system/text-display.ts'
import {
  describeRange,
  ID_RANGE,
  isInRange,
  SAMPLING_RANGES,
  type SamplingOptions,
} from './sampling-params.ts'

interface SamplingDefaults {
  readonly options: SamplingOptions
  /** What was left aside and why, a line each. */
  readonly notes: readonly string[]
}

type Json = Readonly<Record<string, unknown>>
/** Notes that a field is left aside: `<field> <value> is <why>`. */
type Ignore = (field: string, why: string) => void

const NUMBERS = {
  top_p: 'topP',
  min_p: 'minP',
  typical_p: 'typicalP',
  epsilon_cutoff: 'epsilon',
  eta_cutoff: 'eta',
  repetition_penalty: 'repetitionPenalty',
  no_repeat_ngram_size: 'noRepeatNgramSize',
  min_new_tokens: 'minNewTokens',
} as const

/** Fields that change what is chosen and that we do not follow, each with the value at which it does nothing. */
const UNSUPPORTED: Json = {
  num_beams: 1,
  num_beam_groups: 1,
  penalty_alpha: 0,
  guidance_scale: 1,
  min_length: 0,
  top_h: undefined,
  sequence_bias: undefined,
  begin_suppress_tokens: undefined,
  forced_bos_token_id: undefined,
  forced_eos_token_id: undefined,
  exponential_decay_length_penalty: undefined,
  watermarking_config: undefined,
}

/** @param config generation_config.json, `{}` where there is none. Never throws. */
export function samplingDefaults(config: Json): SamplingDefaults {
  const notes: string[] = []
  const ignore = (field: string, why: string) =>
    void notes.push(`generation_config.json: ${field} ${quote(config[field], 40)} is ${why}: ignored`)
  const options: SamplingOptions = {
    temperature: readTemperature(config, ignore),
    topK: readNumber(config, { field: 'top_k', name: 'topK', ignore }) ?? 50,
    ...readNumbers(config, ignore),
    ...readBans(config, ignore),
  }
  for (const [field, neutral] of Object.entries(UNSUPPORTED)) {
    if (config[field] != null && config[field] !== neutral) ignore(field, 'not supported')
  }
  return { options, notes }
}

function readTemperature(config: Json, ignore: Ignore): number {
  const { do_sample: sampled } = config
  if (sampled != null && typeof sampled !== 'boolean') ignore('do_sample', 'not true or false')
  if (sampled !== true) return 0
  return readNumber(config, { field: 'temperature', name: 'temperature', ignore }) ?? 1
}

function readNumbers(config: Json, ignore: Ignore): SamplingOptions {
  return Object.fromEntries(
    Object.entries(NUMBERS).map(([field, name]) => [name, readNumber(config, { field, name, ignore })]),
  )
}

function readNumber(
  config: Json,
  { field, name, ignore }: { field: string; name: keyof typeof SAMPLING_RANGES; ignore: Ignore },
): number | undefined {
  const value = config[field] ?? undefined
  const range = SAMPLING_RANGES[name]
  if (value === undefined || isInRange(range, value)) return value
  ignore(field, `not ${describeRange(range)}`)
  return undefined
}

/** suppress_tokens and bad_words_ids, from which, as there, a lone end id is taken out. */
function readBans(config: Json, ignore: Ignore): SamplingOptions {
  const suppressed = readIfValid(config, { field: 'suppress_tokens', isValid: isIdList, ignore })
  const words = readIfValid(config, { field: 'bad_words_ids', isValid: isSequenceList, ignore })
  const ends = [config.eos_token_id].flat()
  const lone = words.filter((ids) => ids.length === 1 && !ends.includes(ids[0])).flat()
  return { bannedIds: [...suppressed, ...lone], bannedSequences: words.filter((ids) => ids.length > 1) }
}

function readIfValid<T>(
  config: Json,
  { field, isValid, ignore }: { field: string; isValid: (value: unknown) => value is T[]; ignore: Ignore },
): T[] {
  const value = config[field] ?? []
  if (isValid(value)) return value
  ignore(field, 'not a list of token ids')
  return []
}

function isIdList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((id) => isInRange(ID_RANGE, id))
}

function isSequenceList(value: unknown): value is number[][] {
  return Array.isArray(value) && value.every((ids) => isIdList(ids) && ids.length > 0)
}
