/** One answer of a call: kept, or written out as it comes, with its calls of tools apart and its times noted. */
import { randomBytes } from 'node:crypto'
import type { ToolFormat } from '../chat-template/tool-format.ts'
import type { AnswerSink, EngineResult } from '../engine/engine.ts'
import type { SinkWait } from '../generation/token-sink.ts'
import type { Answer, TokenLogprob } from '../openai/answer.ts'
import { type ToolCall, ToolSplitter } from '../openai/tool-splitter.ts'
import type { Chunks } from './answer-shapes.ts'
import type { Metrics } from './metrics.ts'
import type { Reply } from './reply.ts'

interface ChoiceParts {
  /** Its number among the answers of the call. */
  readonly index: number
  readonly reply: Pick<Reply, 'event'>
  /** Absent: it is kept until it is whole. */
  readonly chunks: Chunks | undefined
  readonly think: 'show' | 'hide'
  /** Where tools may be called. */
  readonly tools: ToolFormat | undefined
  readonly metrics: Pick<Metrics, 'firstToken' | 'longestGap'>
  /** When the request came. */
  readonly cameAt: number
}

export class ChoiceWriter {
  readonly sink: AnswerSink
  readonly #parts: ChoiceParts
  readonly #splitter: ToolSplitter | undefined
  readonly #texts: string[] = []
  readonly #thoughts: string[] = []
  readonly #logprobs: TokenLogprob[] = []
  /** Of the piece under way: what the reader is to be waited for. */
  #wait: SinkWait
  #lastAt = 0
  #longestGap = 0

  constructor(parts: ChoiceParts) {
    this.#parts = parts
    this.#splitter = parts.tools && this.#split(parts.tools)
    this.sink = {
      token: (id, text, chosen) => this.#token(text, chosen && { id, ...chosen }),
      lastPiece: (text) => this.#piece(text, undefined),
      reasoning: (text) => this.#reasoning(text),
    }
  }

  begin(): void {
    const { chunks, reply, index } = this.#parts
    const first = chunks?.first(index)
    if (first !== undefined) void reply.event(first)
  }

  end(result: EngineResult): Answer {
    const { chunks, reply, index, metrics } = this.#parts
    this.#splitter?.end()
    const toolCalls = this.#splitter?.calls
    metrics.longestGap.add(this.#longestGap)
    if (chunks !== undefined)
      void reply.event(chunks.last(index, result.finishReason, (toolCalls?.length ?? 0) > 0))
    const { finishReason, promptTokens, tokenIds, sampling } = result
    return {
      text: this.#texts.join(''),
      reasoning: this.#thoughts.join(''),
      toolCalls,
      finishReason,
      promptTokens,
      completionTokens: tokenIds.length,
      logprobs: sampling.logprobs === undefined ? undefined : this.#logprobs,
    }
  }

  #token(text: string, logprob: TokenLogprob | undefined): SinkWait {
    const now = performance.now()
    if (this.#lastAt === 0) this.#parts.metrics.firstToken.add(now - this.#parts.cameAt)
    else this.#longestGap = Math.max(this.#longestGap, now - this.#lastAt)
    this.#lastAt = now
    return this.#piece(text, logprob)
  }

  #piece(text: string, logprob: TokenLogprob | undefined): SinkWait {
    if (this.#splitter === undefined) return this.#text(text, logprob)
    this.#wait = logprob === undefined ? undefined : this.#text('', logprob)
    this.#splitter.push(text)
    return this.#wait
  }

  #text(text: string, logprob: TokenLogprob | undefined): SinkWait {
    if (text === '' && logprob === undefined) return undefined
    const { chunks, reply, index } = this.#parts
    if (chunks !== undefined) return reply.event(chunks.text(index, text, logprob))
    this.#texts.push(text)
    if (logprob !== undefined) this.#logprobs.push(logprob)
    return undefined
  }

  #reasoning(text: string): SinkWait {
    const { chunks, reply, index, think } = this.#parts
    if (think === 'hide') return undefined
    if (chunks !== undefined) return reply.event(chunks.reasoning(index, text))
    this.#thoughts.push(text)
    return undefined
  }

  #split(tools: ToolFormat): ToolSplitter {
    const { chunks, reply, index } = this.#parts
    const write = (chunk: string | undefined): void => {
      if (chunk !== undefined) this.#wait = reply.event(chunk) ?? this.#wait
    }
    const events = {
      text: (text: string) => {
        this.#wait = this.#text(text, undefined) ?? this.#wait
      },
      call: (place: number, call: ToolCall) => write(chunks?.call(index, place, call)),
      arguments: (place: number, text: string) => write(chunks?.callArguments(index, place, text)),
    }
    return new ToolSplitter(tools, events, callId)
  }
}

/** Nine letters and digits: some templates take no others. */
function callId(): string {
  return randomBytes(16).toString('base64').replace(/[+/=]/g, '').slice(0, 9).padEnd(9, '0')
}
