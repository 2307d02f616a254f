/** Flags and prompt to a request: pure, so that every rule can be tested without a process. */
import { type GenerateRequest, makeRequest } from '../engine/request.ts'
import { SpoutError } from '../errors.ts'
import type { SamplingOptions } from '../sampling/sampling-params.ts'
import type { Options } from './options.ts'

/** Refuses flags that contradict each other, before anything is read or loaded. @throws SpoutError `usage`. */
export function checkFlags(options: Options): void {
  const conflict = (first: string, second: string): never => {
    throw new SpoutError('usage', `${first} and ${second}: only one of them at a time`)
  }
  if (options.json && options.jsonl) conflict('--json', '--jsonl')
  if (options.system !== undefined && options.systemFile !== undefined) conflict('--system', '--system-file')
  if (options.quiet && options.verbose) conflict('--quiet', '--verbose')
  if (options.logprobs !== undefined && !options.json && !options.jsonl) {
    throw new SpoutError('usage', '--logprobs: needs --json or --jsonl', { hint: 'add --json' })
  }
}

export function requestFromFlags(
  options: Options,
  prompt: string,
  system: string | undefined,
): GenerateRequest {
  return makeRequest({
    prompt,
    system,
    raw: options.raw ?? false,
    allowSpecial: options.allowSpecial ?? false,
    maxTokens: options.maxTokens,
    stopStrings: options.stop ?? [],
    ignoreEos: options.ignoreEos ?? false,
    sampling: samplingFromFlags(options),
    templateArgs: Object.fromEntries(options.templateArg ?? []),
  })
}

function samplingFromFlags(options: Options): SamplingOptions {
  return {
    temperature: options.temperature,
    topK: options.topK,
    topP: options.topP,
    minP: options.minP,
    typicalP: options.typicalP,
    repetitionPenalty: options.repetitionPenalty,
    repeatLastN: options.repeatLastN,
    presencePenalty: options.presencePenalty,
    frequencyPenalty: options.frequencyPenalty,
    noRepeatNgramSize: options.noRepeatNgramSize,
    minNewTokens: options.minNewTokens,
    logitBias: options.logitBias === undefined ? undefined : new Map(options.logitBias),
    seed: options.seed,
    logprobs: options.logprobs === true ? 0 : options.logprobs,
  }
}
