/**
 * Choices by the log-probabilities that a server gives: one token is asked for, with the likeliest at its place, and a choice has
 * the probability of all tokens that begin it. What comes after that token a server does not tell of.
 */
import type { RequestIo } from '../engine/engine.ts'
import { type GenerateRequest, makeChatRequest } from '../engine/request.ts'
import { type ChoiceRequest, type ChoiceResult, checkChoices } from '../engine/score-request.ts'
import type { NamedLogprobs } from '../engine/token-names.ts'
import { SpoutError } from '../errors.ts'
import { MOST_LOGPROBS } from './request-body.ts'

/** Asks for an answer; gives how many tokens its prompt had. */
export type AskOnce = (request: GenerateRequest, sink: RequestIo['sink']) => Promise<number>

interface Begun {
  /** In the order of the choices. */
  readonly logprobs: readonly number[]
  readonly promptTokens: number
}

/** @throws SpoutError `usage` for choices that begin with one token, `failed` where no likely token begins any */
export async function chooseFirst(asked: ChoiceRequest, ask: AskOnce): Promise<ChoiceResult> {
  const { request, empty, prior = empty !== undefined, choices } = asked
  checkChoices(choices)
  if (prior && empty === undefined)
    throw new SpoutError('usage', 'choices: a prior needs the question with an empty input')
  const [found, without] = await Promise.all([
    beginningsOf(request, choices, ask),
    prior ? beginningsOf(empty!, choices, ask) : undefined,
  ])
  return {
    choices: choices.map((choice, i) => ({
      choice,
      logprob: found.logprobs[i]!,
      prior: without?.logprobs[i],
    })),
    promptTokens: found.promptTokens,
    keptTokens: 0,
    isChat: !request.raw,
  }
}

async function beginningsOf(
  request: GenerateRequest,
  choices: readonly string[],
  ask: AskOnce,
): Promise<Begun> {
  let first: NamedLogprobs | undefined
  const promptTokens = await ask(oneToken(request), {
    token(_, __, logprobs) {
      first ??= logprobs
    },
    lastPiece: () => undefined,
  })
  if (first === undefined)
    throw new SpoutError('failed', 'choices: the server gave an answer without a token')
  return { logprobs: beginnings(first.top.length > 0 ? first.top : [first], choices), promptTokens }
}

/** The same question, and of its answer the first token. */
function oneToken(request: GenerateRequest): GenerateRequest {
  const { raw, templateArgs } = request
  const rest = { raw, templateArgs, maxTokens: 1, sampling: { logprobs: MOST_LOGPROBS } }
  return { ...makeChatRequest(request.messages, rest), text: request.text }
}

/**
 * ln of the probability of the tokens that begin each choice. One that none of the likeliest begins is held to be as likely as it
 * can be: no more than the last of them, and no more than all that was not told of.
 */
export function beginnings(
  top: readonly { readonly token: string; readonly logprob: number }[],
  choices: readonly string[],
): number[] {
  const sums = choices.map(() => 0)
  for (const { token, logprob } of top) {
    const text = token.trimStart()
    const begun = text === '' ? [] : choices.flatMap((choice, i) => (choice.startsWith(text) ? [i] : []))
    if (begun.length > 1) throw beginAlike(choices[begun[0]!]!, choices[begun[1]!]!, text)
    for (const i of begun) sums[i] = sums[i]! + Math.exp(logprob)
  }
  if (sums.every((sum) => sum === 0))
    throw new SpoutError('failed', `choices: none is begun by one of the ${top.length} likeliest tokens`)
  const least = Math.min(...top.map(({ logprob }) => logprob))
  const told = top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0)
  const rest = Math.max(1 - told, LEAST_REST)
  return sums.map((sum) => (sum === 0 ? Math.min(least, Math.log(rest)) : Math.log(sum)))
}

/** What a sum of rounded probabilities may lack of 1. */
const LEAST_REST = 1e-6

function beginAlike(a: string, b: string, text: string): SpoutError {
  const both = `${JSON.stringify(a)} and ${JSON.stringify(b)} begin with ${JSON.stringify(text)}`
  return new SpoutError('usage', `choices: ${both}, and a server tells of the first token only`, {
    hint: 'choices that begin differently, or --engine local',
  })
}
