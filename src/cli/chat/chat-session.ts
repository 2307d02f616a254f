/** One conversation: what was said, the engine's side of it, and how a turn is answered. */
import type { Conversation, Engine, EngineResult, Settled } from '../../engine/engine.ts'
import { type GenerateRequest, makeRequest } from '../../engine/request.ts'
import { measure } from '../../output/measurements.ts'
import { openAnswer } from '../answer.ts'
import type { Context } from '../context.ts'
import type { Options } from '../options.ts'
import { requestOptions } from '../request-from-flags.ts'
import { asSpoutError } from '../terminal/messages.ts'
import { makePrefillListener } from '../terminal/prefill-text.ts'
import { writeStatistics } from '../terminal/statistics.ts'
import { openStatusLine } from '../terminal/status-line.ts'
import { makeTrace } from '../terminal/trace-lines.ts'
import { Settling } from './settling.ts'
import { Transcript } from './transcript.ts'

export interface ChatSessionOptions {
  readonly engine: Engine
  readonly options: Options
  readonly context: Context
  readonly system: string | undefined
}

/** The figures of an answer. */
interface LastAnswer {
  readonly result: EngineResult
  readonly askedAt: number
  /** What had been run for it before it was asked for. */
  readonly settled: Settled
}

export class ChatSession {
  readonly transcript: Transcript
  readonly engine: Engine
  readonly #conversation: Conversation
  readonly #settling: Settling
  readonly #options: Options
  readonly #context: Context
  readonly #loadedAt = performance.now()
  #last: LastAnswer | undefined
  /** How often the last message was answered anew: each time another seed. */
  #attempt = 0

  constructor({ engine, options, context, system }: ChatSessionOptions) {
    this.engine = engine
    this.#conversation = engine.openConversation()
    this.#settling = new Settling(this.#conversation)
    this.#options = options
    this.#context = context
    this.transcript = new Transcript(system)
  }

  /** Answers a message. What was said until `signal` aborts is part of the conversation too. */
  async say(message: string, signal: AbortSignal): Promise<void> {
    this.#attempt = 0
    await this.#answer(message, signal)
  }

  /** Answers the last message anew. False when there is none. */
  async regenerate(signal: AbortSignal): Promise<boolean> {
    const turn = this.transcript.turns.pop()
    if (turn === undefined) return false
    this.#attempt++
    try {
      await this.#answer(turn.user, signal)
    } catch (error) {
      this.transcript.turns.push(turn)
      throw error
    }
    return true
  }

  /** The figures of the last answer on stderr. False when there is none. */
  async showStatistics(): Promise<boolean> {
    if (this.#last === undefined) return false
    const { color } = this.#options
    await writeStatistics({ engine: this.engine, ...this.#last, loadedAt: this.#loadedAt, color })
    return true
  }

  /** From now on what is known of the next turn is run, until that turn or `rest`. */
  settle(): void {
    if (this.transcript.turns.length === 0) return
    this.#settling.start(this.#request('?'), makeTrace(this.#options.trace))
  }

  /** Nothing is run any more. */
  async rest(): Promise<void> {
    await this.#settling.stop()
  }

  async dispose(): Promise<void> {
    await this.rest()
    this.#conversation.dispose()
  }

  async #answer(message: string, signal: AbortSignal): Promise<void> {
    const { stdout } = this.#context
    const options = this.#options
    const askedAt = performance.now()
    const request = this.#request(message)
    const status = openStatusLine({ enabled: !options.quiet, color: options.color })
    const writer = openAnswer({ output: stdout, options, engine: this.engine, onFirst: () => status.clear() })
    const pieces: string[] = []
    const keep = (text: string): string => {
      pieces.push(text)
      return text
    }
    const onPrefill = makePrefillListener((text) => status.show(text))
    try {
      await this.#settling.finish(signal, onPrefill)
      const settled = this.#settling.take()
      const result = await this.#conversation.generate(request, {
        sink: {
          ...writer.sink,
          token: (id, text, logprobs) => writer.sink.token(id, keep(text), logprobs),
          rest: (text) => writer.sink.rest(keep(text)),
        },
        signal,
        trace: makeTrace(options.trace),
        onPrefill,
      })
      status.clear()
      await writer.finish(result, measure(result, this.#loadedAt, askedAt))
      this.#last = { result, askedAt, settled }
    } catch (error) {
      status.clear()
      await writer.fail(asSpoutError(error))
      throw error
    }
    const assistant = pieces.join('')
    if (assistant !== '') this.transcript.turns.push({ user: message, assistant })
    if (options.stats) await this.showStatistics()
  }

  #request(message: string): GenerateRequest {
    const base = requestOptions(this.#options)
    return makeRequest({
      ...base,
      sampling: { ...base.sampling, seed: this.#seed() },
      prompt: message,
      system: this.transcript.system,
      history: this.transcript.history,
    })
  }

  #seed(): bigint | undefined {
    const { seed } = this.#options
    return seed === undefined ? undefined : seed + BigInt(this.#attempt)
  }
}
