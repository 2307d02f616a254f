/** What a call is answered with: whole documents, and the chunks of a stream. */
import type { FinishReason } from '../generation/stop-criteria.ts'
import type { Answer, TokenLogprob } from '../openai/answer.ts'
import {
  chatChoice,
  chatLogprob,
  completionChoice,
  completionLogprobs,
  reasonOf,
  usageOf,
} from '../openai/choices.ts'
import type { BodyKind } from '../openai/settings.ts'
import type { ToolCall } from '../openai/tool-splitter.ts'

/** What all chunks of one answer, and the whole of it, say of themselves. */
export interface Envelope {
  readonly id: string
  /** Seconds since 1970. */
  readonly created: number
  readonly model: string
  readonly fingerprint: string
}

/** Of all prompts and answers of a call. */
export interface Usage {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
}

export function documentOf(
  kind: BodyKind,
  envelope: Envelope,
  answers: readonly Answer[],
  usage: Usage,
): object {
  const choices = answers.map((answer, index) => ({
    ...(kind === 'chat' ? chatChoice : completionChoice)(answer),
    index,
  }))
  return { ...headOf(kind, envelope, false), choices, usage: usageObject(usage) }
}

function headOf(kind: BodyKind, { id, created, model, fingerprint }: Envelope, isChunk: boolean): object {
  const object =
    kind === 'completion' ? 'text_completion' : isChunk ? 'chat.completion.chunk' : 'chat.completion'
  return { id, object, created, model, system_fingerprint: fingerprint }
}

function usageObject({ cachedTokens, ...usage }: Usage): object {
  return { ...usageOf(usage), prompt_tokens_details: { cached_tokens: cachedTokens } }
}

/** Writes the chunks of one call. What does not change from token to token is written once. */
export class Chunks {
  readonly #kind: BodyKind
  readonly #head: string
  readonly #tail: string
  /** Characters of each choice's tokens so far. */
  readonly #offsets: number[] = []

  constructor(kind: BodyKind, envelope: Envelope, includeUsage: boolean) {
    this.#kind = kind
    this.#head = `${JSON.stringify(headOf(kind, envelope, true)).slice(0, -1)},"choices":[`
    this.#tail = includeUsage ? '],"usage":null}' : ']}'
  }

  /** `undefined` where the kind begins with its first text. */
  first(index: number): string | undefined {
    if (this.#kind === 'completion') return undefined
    return this.#chunk(
      `"index":${index},"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null`,
    )
  }

  text(index: number, text: string, logprob: TokenLogprob | undefined): string {
    const logprobs = logprob === undefined ? 'null' : JSON.stringify(this.#logprobs(index, logprob))
    const piece = JSON.stringify(text)
    const content = this.#kind === 'chat' ? `"delta":{"content":${piece}}` : `"text":${piece}`
    return this.#chunk(`"index":${index},${content},"logprobs":${logprobs},"finish_reason":null`)
  }

  reasoning(index: number, text: string): string {
    const delta = JSON.stringify({ reasoning_content: text })
    return this.#chunk(`"index":${index},"delta":${delta},"logprobs":null,"finish_reason":null`)
  }

  /** A call begins: its arguments follow. */
  call(index: number, place: number, { id, name }: ToolCall): string {
    return this.#calls(index, { index: place, id, type: 'function', function: { name, arguments: '' } })
  }

  callArguments(index: number, place: number, text: string): string {
    return this.#calls(index, { index: place, function: { arguments: text } })
  }

  #calls(index: number, call: object): string {
    const delta = JSON.stringify({ tool_calls: [call] })
    return this.#chunk(`"index":${index},"delta":${delta},"logprobs":null,"finish_reason":null`)
  }

  last(index: number, reason: FinishReason, hasCalls: boolean): string {
    const content = this.#kind === 'chat' ? '"delta":{}' : '"text":""'
    return this.#chunk(
      `"index":${index},${content},"logprobs":null,"finish_reason":"${reasonOf(reason, hasCalls)}"`,
    )
  }

  usage(usage: Usage): string {
    return `${this.#head}],"usage":${JSON.stringify(usageObject(usage))}}`
  }

  #chunk(choice: string): string {
    return `${this.#head}{${choice}}${this.#tail}`
  }

  #logprobs(index: number, logprob: TokenLogprob): object {
    if (this.#kind === 'chat') return { content: [chatLogprob(logprob)], refusal: null }
    const from = this.#offsets[index] ?? 0
    this.#offsets[index] = from + logprob.token.length
    return completionLogprobs([logprob], from)
  }
}
