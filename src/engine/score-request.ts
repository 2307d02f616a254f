/** What is asked where nothing is written: how likely choices, or given texts, are. Plain data. */
import { SpoutError } from '../errors.ts'
import type { ScoredChoice } from '../scoring/decide.ts'
import type { Trace } from '../trace.ts'
import type { GenerateRequest } from './request.ts'
import type { TokenName } from './token-names.ts'

export interface ChoiceRequest {
  /** The question with its input. What it says of sampling, lengths and structures is left out of account. */
  readonly request: GenerateRequest
  /** At least two, all different; none is empty. */
  readonly choices: readonly string[]
  /** The same question with an empty input: computed once. What the two begin with is computed once for all inputs. */
  readonly empty?: GenerateRequest | undefined
  /** Takes off what the model says with the empty input. Default: where there is one. */
  readonly prior?: boolean | undefined
  /** A choice counts only as a whole answer, with the end token behind it. Default true. */
  readonly wholeAnswer?: boolean | undefined
}

export interface ChoiceResult {
  /** As they were asked for. */
  readonly choices: readonly ScoredChoice[]
  /** Of the question, without the choices. */
  readonly promptTokens: number
  /** How many of them were computed before. */
  readonly keptTokens: number
  /** The question went through the chat template. */
  readonly isChat: boolean
}

export interface ScoreRequest {
  readonly text: string
  /** What the text goes on from: it is not scored. */
  readonly prompt?: string | undefined
  /** Special-token text becomes special tokens. */
  readonly allowSpecial?: boolean | undefined
}

export interface ScoreResult {
  /** Those that were scored. The first of a text has nothing before it, unless the tokenizer puts a token there. */
  readonly tokens: readonly ScoredToken[]
  /** ln of the probability of all of them. */
  readonly logprob: number
  /** exp of minus the mean: what Hugging Face's loss is the logarithm of. */
  readonly perplexity: number
  /** More than one where the text is longer than the context: each begins anew, with the last token before it. */
  readonly windows: number
}

export interface ScoredToken extends TokenName {
  readonly id: number
  readonly logprob: number
}

export interface ScoreIo {
  readonly signal?: AbortSignal | undefined
  readonly trace?: Trace | undefined
}

/** @throws SpoutError `usage` for choices that are none */
export function checkChoices(choices: readonly string[]): void {
  if (choices.length < 2) throw new SpoutError('usage', 'choices: at least two are needed')
  if (choices.some((choice) => choice.trim() === '')) throw new SpoutError('usage', 'choices: one is empty')
  const twice = choices.find((choice, i) => choices.indexOf(choice) < i)
  if (twice !== undefined) throw new SpoutError('usage', `choices: ${JSON.stringify(twice)} is there twice`)
}
