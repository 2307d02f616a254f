/** One conversation: what was said, the engine's side of it, and how a turn is answered. */
import type { Conversation, Engine, EngineResult, Settled } from '../../engine/engine.ts'
import { type GenerateRequest, makeRequest } from '../../engine/request.ts'
import { measure } from '../../output/measurements.ts'
import { openAnswer } from '../answer.ts'
import { turnNote } from '../answer-end.ts'
import type { Context } from '../context.ts'
import type { Prefilled } from '../keep-prompt.ts'
import type { Options } from '../options.ts'
import { promptCacheMode } from '../prompt-cache-mode.ts'
import { requestOptions } from '../request-from-flags.ts'
import { asSpoutError } from '../terminal/messages.ts'
import { makePrefillListener } from '../terminal/prefill-text.ts'
import { writeStatistics } from '../terminal/statistics.ts'
import { openStatusLine } from '../terminal/status-line.ts'
import { makeTrace } from '../terminal/trace-lines.ts'
import { type Fitted, fitMessage } from './fit-message.ts'
import type { KeptConversation } from './kept-conversation.ts'
import { Settling } from './settling.ts'
import type { Transcript, Turn } from './transcript.ts'

interface ChatSessionOptions {
  readonly engine: Engine
  readonly options: Options
  readonly context: Context
  readonly transcript: Transcript
  /** Where it is kept after every turn. */
  readonly kept?: KeptConversation | undefined
  /** A line about what happened. */
  readonly note: (text: string) => void
}

/** The figures of an answer. */
interface LastAnswer {
  readonly result: EngineResult
  readonly askedAt: number
  /** What had been run for it before it was asked for. */
  readonly settled: Settled
}

function sumOf({ tokens, ms }: Prefilled, { promptTokens, keptTokens, timings }: EngineResult): Prefilled {
  const more = Math.max(0, timings.prefilledAt - timings.startedAt)
  return { tokens: tokens + promptTokens - keptTokens, ms: ms + more }
}

type Outcome = 'answered' | 'aborted' | 'failed'

/** A turn that is being answered. */
interface OpenTurn {
  readonly user: string
  readonly pieces: string[]
  /** The turn whose place it takes. */
  readonly instead: Turn | undefined
}

export class ChatSession {
  readonly transcript: Transcript
  readonly engine: Engine
  /** Files of this conversation, which `/save` may replace. */
  readonly ownFiles = new Set<string>()
  readonly #conversation: Conversation
  readonly #settling: Settling
  readonly #options: Options
  readonly #context: Context
  readonly #kept: KeptConversation | undefined
  readonly #note: (text: string) => void
  readonly #loadedAt = performance.now()
  #last: LastAnswer | undefined
  #open: OpenTurn | undefined
  #isKept = true
  /** Of all turns. */
  #prefilled: Prefilled = { tokens: 0, ms: 0 }
  /** How often the last message was answered anew: each time another seed. */
  #attempt = 0

  constructor({ engine, options, context, transcript, kept, note }: ChatSessionOptions) {
    this.engine = engine
    this.#conversation = engine.openConversation()
    this.#settling = new Settling(this.#conversation)
    this.#options = options
    this.#context = context
    this.#kept = kept
    this.#note = note
    this.transcript = transcript
  }

  /** Answers a message. What was said until `signal` aborts, or until it fails, is part of the conversation too. */
  async say(message: string, signal: AbortSignal): Promise<void> {
    this.#attempt = 0
    await this.#answer({ user: message, pieces: [], instead: undefined }, signal)
  }

  /** Answers the last message anew. False when there is none. */
  async regenerate(signal: AbortSignal): Promise<boolean> {
    const turn = this.transcript.turns.at(-1)
    if (turn === undefined) return false
    this.transcript.dropLast()
    this.#attempt++
    await this.#answer({ user: turn.user, pieces: [], instead: turn }, signal)
    return true
  }

  /** The figures of the last answer on stderr. False when there is none. */
  async showStatistics(): Promise<boolean> {
    if (this.#last === undefined) return false
    const { color } = this.#options
    await writeStatistics({ engine: this.engine, ...this.#last, loadedAt: this.#loadedAt, color })
    return true
  }

  /** Keeps the conversation as it is now. Called after every change of it. */
  changed(): void {
    try {
      this.#kept?.keep(this.transcript, this.engine.model.id)
    } catch (error) {
      if (this.#isKept) this.#note(`this conversation is not kept: ${(error as NodeJS.ErrnoException).code}`)
      this.#isKept = false
    }
  }

  /** What is being said counts as said: the process ends. */
  endNow(): void {
    if (this.#open === undefined) return
    this.#close(this.#open, 'aborted')
  }

  /**
   * Leaves what was computed of this conversation for whoever goes on with it in another process, where it lies in a file
   * itself or that is asked for.
   * @param options.isSaved it was written to a file as it is now; else it lies in one only where it is kept for `--continue`
   */
  async keepForNextRun({ isSaved = false }: { isSaved?: boolean } = {}): Promise<void> {
    const { engine, transcript } = this
    const mode = promptCacheMode(this.#options)
    const isFile = isSaved || (this.#kept !== undefined && this.#isKept)
    if (engine.handOverPrompt === undefined || transcript.turns.length === 0) return
    if (mode === 'off' || (mode === 'files' && !isFile)) return
    const { keepableTurns, keepPrompt } = await import('../keep-prompt.ts')
    const requests = keepableTurns(this.#request('?'))
    await keepPrompt({ engine, options: this.#options, requests, prefilled: this.#prefilled })
  }

  /** From now on what is known of the next turn is run, until that turn or `stopSettling`. */
  settle(): void {
    if (this.transcript.turns.length === 0) return
    this.#settling.start(this.#request('?'), makeTrace(this.#options.trace))
  }

  /** Nothing is run any more. */
  async stopSettling(): Promise<void> {
    await this.#settling.stop()
  }

  async dispose(): Promise<void> {
    await this.stopSettling()
    this.#conversation.dispose()
  }

  async #answer(turn: OpenTurn, signal: AbortSignal): Promise<void> {
    this.#open = turn
    let outcome: Outcome = 'failed'
    try {
      const result = await this.#generate(turn, signal)
      outcome = result.finishReason === 'aborted' ? 'aborted' : 'answered'
      const text = turn.pieces.join('')
      const note = turnNote(result, { engine: this.engine, text })
      if (note !== undefined && !this.#context.interrupts.signal.aborted) this.#note(note)
    } finally {
      this.#close(turn, outcome)
    }
    if (this.#options.stats) await this.showStatistics()
  }

  /** Notes a turn: what was said of it, or, where that is nothing or a failure, the answer whose place it would take. */
  #close(turn: OpenTurn, outcome: Outcome): void {
    if (this.#open !== turn) return
    this.#open = undefined
    const { user, pieces, instead } = turn
    const said: Turn = { user, assistant: pieces.join('') }
    const isSomething = said.assistant !== ''
    const isBetter = outcome === 'answered' || (outcome === 'aborted' && isSomething)
    if (instead !== undefined) this.transcript.turns.push(isBetter ? said : instead)
    else if (outcome !== 'failed' || isSomething) this.transcript.turns.push(said)
    this.changed()
  }

  async #generate({ user, pieces }: OpenTurn, signal: AbortSignal): Promise<EngineResult> {
    const options = this.#options
    const askedAt = performance.now()
    const { request, encoded } = this.#fit(user)
    const status = openStatusLine({ enabled: !options.quiet, color: options.color })
    const writer = openAnswer({
      output: this.#context.stdout,
      options,
      engine: this.engine,
      onFirst: () => status.clear(),
    })
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
          lastPiece: (text) => writer.sink.lastPiece(keep(text)),
        },
        signal,
        encoded,
        trace: makeTrace(options.trace),
        onPrefill,
      })
      status.clear()
      await writer.finish(result, measure(result, this.#loadedAt, askedAt))
      this.#last = { result, askedAt, settled }
      this.#prefilled = sumOf(this.#prefilled, result)
      return result
    } catch (error) {
      status.clear()
      await writer.fail(asSpoutError(error))
      throw error
    }
  }

  /** The request for a message, with as many turns before it as there is room for. */
  #fit(message: string): Fitted {
    const { transcript, engine } = this
    // How long it is, only a server elsewhere knows: it says so where that is too long.
    if (!engine.promises.tokenIds)
      return { request: this.#request(message), encoded: undefined, note: undefined }
    const fitted = fitMessage({
      transcript,
      contextLength: engine.model.contextLength,
      maxTokens: this.#options.maxTokens,
      make: (left) => {
        const request = this.#request(message, left)
        return { request, encoded: this.#conversation.encode(request) }
      },
    })
    if (fitted.note !== undefined) this.#note(fitted.note)
    return fitted
  }

  #request(message: string, left?: number): GenerateRequest {
    const base = requestOptions(this.#options)
    return makeRequest({
      ...base,
      sampling: { ...base.sampling, seed: this.#seed() },
      prompt: message,
      system: this.transcript.system,
      history: this.transcript.history(left),
    })
  }

  #seed(): bigint | undefined {
    const { seed } = this.#options
    return seed === undefined ? undefined : seed + BigInt(this.#attempt)
  }
}
