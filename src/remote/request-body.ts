/** A request as a server is asked: only what is set is sent, and what a server has no field for is refused. */
import type { GenerateRequest } from '../engine/request.ts'
import { DEFAULT_RAW_TOKENS } from '../engine/request.ts'
import { SpoutError } from '../errors.ts'
import type { SamplingOptions } from '../sampling/sampling-params.ts'
import type { CallKind } from './chunk.ts'

export interface Call {
  readonly kind: CallKind
  /** Behind the address. */
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
  /** The limit that was sent; 0: none. */
  readonly maxTokens: number
}

/** Most that OpenAI's interface gives at each place. */
export const MOST_LOGPROBS = 20

type Plain = Omit<SamplingOptions, 'seed' | 'logitBias' | 'logprobs' | (typeof NO_FIELD)[number]>

/** Of OpenAI's interface. */
const FIELDS: Readonly<Partial<Record<keyof Plain, string>>> = {
  temperature: 'temperature',
  topP: 'top_p',
  presencePenalty: 'presence_penalty',
  frequencyPenalty: 'frequency_penalty',
}
/** Of vLLM, SGLang, llama-server and `spout serve`; others may pass them over. */
const MORE_FIELDS: Readonly<Partial<Record<keyof Plain, string>>> = {
  topK: 'top_k',
  minP: 'min_p',
  typicalP: 'typical_p',
  repetitionPenalty: 'repetition_penalty',
  minNewTokens: 'min_tokens',
}
/** What no server has a field for that others share. */
const NO_FIELD = [
  'repeatLastN',
  'noRepeatNgramSize',
  'epsilon',
  'eta',
  'bannedIds',
  'bannedSequences',
] as const

/** What of a request may not be understood everywhere, as the fields are called. */
export function doubtfulFields(request: GenerateRequest): string[] {
  const { sampling, ignoreEos, templateArgs } = request
  return [
    ...named(sampling, MORE_FIELDS).map(([name]) => name),
    ...(ignoreEos ? ['ignore_eos'] : []),
    ...(Object.keys(templateArgs).length > 0 ? ['chat_template_kwargs'] : []),
  ]
}

/** @throws SpoutError `usage`, naming what a server cannot be told */
function checkSayable(request: GenerateRequest): void {
  const { sampling, structure, allowSpecial, drafts = 'off', expect, raw, maxTokens } = request
  const refused = [
    [structure !== undefined, 'structure', 'what a server makes of one cannot be promised'],
    [allowSpecial, 'allow-special', 'a server decides that itself'],
    [drafts !== 'off', 'drafts', 'a server decides that itself'],
    [expect !== undefined, 'expect', 'a server has no field for it'],
    ...NO_FIELD.map(
      (key) => [sampling[key] !== undefined, dashed(key), 'a server has no field for it'] as const,
    ),
    [(sampling.logprobs ?? 0) > MOST_LOGPROBS, 'logprobs', `a server gives ${MOST_LOGPROBS} at most`],
    [raw && maxTokens === 0, 'max-tokens', 'with --raw, a server ends texts at a limit of its own: name one'],
  ] as const
  const found = refused.find(([isSet]) => isSet)
  if (found === undefined) return
  const [, name, why] = found
  throw new SpoutError('usage', `${name}: not with a server elsewhere: ${why}`, {
    hint: 'leave it out, or --engine local',
  })
}

/** @throws as `checkSayable` does */
export function callOf(request: GenerateRequest, model: string): Call {
  checkSayable(request)
  const { raw, messages, text } = request
  const maxTokens = request.maxTokens ?? (raw ? DEFAULT_RAW_TOKENS : 0)
  const kind = raw ? 'completion' : 'chat'
  return {
    kind,
    path: raw ? '/completions' : '/chat/completions',
    body: {
      model,
      ...(raw ? { prompt: text } : { messages }),
      stream: true,
      stream_options: { include_usage: true },
      ...(maxTokens > 0 && { max_tokens: maxTokens }),
      ...(request.stopStrings.length > 0 && { stop: request.stopStrings }),
      ...(request.ignoreEos && { ignore_eos: true }),
      ...(!raw &&
        Object.keys(request.templateArgs).length > 0 && { chat_template_kwargs: request.templateArgs }),
      ...samplingFields(request.sampling, kind),
    },
    maxTokens,
  }
}

function samplingFields(sampling: SamplingOptions, kind: CallKind): Readonly<Record<string, unknown>> {
  const { seed, logitBias, logprobs } = sampling
  return {
    ...Object.fromEntries([...named(sampling, FIELDS), ...named(sampling, MORE_FIELDS)]),
    ...(logitBias !== undefined && { logit_bias: Object.fromEntries(logitBias) }),
    ...(seed !== undefined && { seed: seedNumber(seed) }),
    ...(logprobs !== undefined && logprobFields(logprobs, kind)),
  }
}

function logprobFields(most: number, kind: CallKind): Readonly<Record<string, unknown>> {
  if (kind === 'completion') return { logprobs: most }
  return { logprobs: true, ...(most > 0 && { top_logprobs: most }) }
}

function named(
  sampling: SamplingOptions,
  fields: Readonly<Partial<Record<keyof Plain, string>>>,
): [string, unknown][] {
  return Object.entries(fields).flatMap(([key, name]): [string, unknown][] => {
    const value = sampling[key as keyof Plain]
    return value === undefined ? [] : [[name, value]]
  })
}

/** More than 53 bits is no number that readers of JSON keep: the lower ones are sent. */
function seedNumber(seed: bigint): number {
  return Number(seed & (2n ** 53n - 1n))
}

/** `repeat-last-n` of `repeatLastN`. */
function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
