/** One chunk of a stream, or a whole document, of OpenAI's shapes: what of it counts, checked. */
import type { NamedLogprobs } from '../engine/token-names.ts'
import { NO_ID } from '../engine/token-names.ts'
import type { FinishReason } from '../generation/stop-criteria.ts'
import { quote } from '../system/text-display.ts'
import { Fault, toldError } from './fault.ts'

export type CallKind = 'chat' | 'completion'

export interface Usage {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
}

export interface Chunk {
  /** `''` where it has none. */
  readonly id: string
  readonly text: string
  readonly reasoning: string
  readonly logprobs: readonly NamedLogprobs[]
  readonly finish: FinishReason | undefined
  readonly usage: Usage | undefined
}

type Fields = Readonly<Record<string, unknown>>

/** @throws Fault for what is no chunk; ToldError for an error in its place */
export function readChunk(json: string, kind: CallKind): Chunk {
  const fields = objectIn(json)
  const told = toldError(fields)
  if (told !== undefined) throw told
  const { id, choices, usage } = fields
  const choice = choiceOf(choices)
  const { delta, message, text, finish_reason: reason, stop_reason: stopReason, logprobs } = choice ?? {}
  const said = kind === 'chat' ? ((delta ?? message ?? {}) as Fields) : { content: text }
  if (Array.isArray(said.tool_calls) && said.tool_calls.length > 0)
    throw new Fault('a call of a tool, and none was offered')
  return {
    id: typeof id === 'string' ? id : '',
    text: textOf(said.content, 'content'),
    // vLLM's newer name of it is `reasoning`.
    reasoning: textOf(said.reasoning_content ?? said.reasoning, 'reasoning'),
    logprobs: logprobsOf(logprobs, kind),
    finish: finishOf(reason, stopReason),
    usage: usageOf(usage),
  }
}

function objectIn(json: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw new Fault(`no JSON: ${quote(json, 60)}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new Fault(`no JSON object: ${quote(json, 60)}`)
}

/** One answer was asked for: the chunk that tells the usage has none. */
function choiceOf(choices: unknown): Fields | undefined {
  if (choices == null) return undefined
  if (!Array.isArray(choices)) throw new Fault('choices that are no list')
  if (choices.length > 1) throw new Fault(`${choices.length} answers, and one was asked for`)
  const [choice] = choices as unknown[]
  if (choice === undefined) return undefined
  if (typeof choice !== 'object' || choice === null) throw new Fault('a choice that is no object')
  const { index = 0 } = choice as Fields
  if (index !== 0 && index !== null) throw new Fault(`answer ${quote(index)}, and one was asked for`)
  return choice as Fields
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string') return value
  if (value == null) return ''
  throw new Fault(`${name} that is no text`)
}

/** The last three are those of servers that speak of more than OpenAI's. */
const REASONS: Readonly<Record<string, FinishReason>> = {
  ...{ stop: 'stop', length: 'length' },
  ...{ eos: 'stop', eos_token: 'stop', stop_sequence: 'stop-string' },
}

function finishOf(reason: unknown, stopReason: unknown): FinishReason | undefined {
  if (reason == null || reason === '') return undefined
  const known = typeof reason === 'string' && Object.hasOwn(REASONS, reason) ? REASONS[reason]! : undefined
  if (known === undefined) throw new Fault(`the finish_reason ${quote(reason)}`)
  // vLLM tells by which text it was.
  return known === 'stop' && typeof stopReason === 'string' ? 'stop-string' : known
}

function usageOf(value: unknown): Usage | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const {
    prompt_tokens: prompt,
    completion_tokens: completion,
    prompt_tokens_details: more,
  } = value as Fields
  if (!isCount(prompt) || !isCount(completion)) return undefined
  const cached = (more as Fields | null | undefined)?.cached_tokens
  return { promptTokens: prompt, completionTokens: completion, cachedTokens: isCount(cached) ? cached : 0 }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

const encoder = new TextEncoder()

/** Of a chat `{content: [...]}`, of a completion lists side by side. */
function logprobsOf(value: unknown, kind: CallKind): readonly NamedLogprobs[] {
  if (typeof value !== 'object' || value === null) return []
  if (kind === 'completion') return listedLogprobs(value as Fields)
  const { content } = value as Fields
  if (content == null) return []
  if (!Array.isArray(content)) throw new Fault('logprobs that are no list')
  return content.map((each: Fields) => ({ ...tokenOf(each), top: topOf(each.top_logprobs) }))
}

function topOf(value: unknown): NamedLogprobs['top'] {
  if (!Array.isArray(value)) return []
  return value.map((each: Fields) => ({ id: NO_ID, ...tokenOf(each) }))
}

function tokenOf(value: Fields | null): Omit<NamedLogprobs, 'top'> {
  const { token, logprob, bytes } = value ?? {}
  if (typeof token !== 'string' || typeof logprob !== 'number')
    throw new Fault('a log-probability without its token')
  const given = Array.isArray(bytes) ? (bytes as number[]) : [...encoder.encode(token)]
  return { token, logprob, bytes: given }
}

function listedLogprobs({ tokens, token_logprobs: logprobs, top_logprobs: tops }: Fields): NamedLogprobs[] {
  if (!Array.isArray(tokens) || !Array.isArray(logprobs)) return []
  return tokens.map((token: unknown, i) => {
    const top = Array.isArray(tops) ? (tops[i] as Fields | null) : null
    const rated = Object.entries(top ?? {}).map(([name, logprob]) => ({ token: name, logprob }))
    return { ...tokenOf({ token, logprob: logprobs[i] }), top: topOf(rated) }
  })
}
