/**
 * An engine whose model a server runs, or several servers. Nothing is computed here, and next to nothing can be promised: neither
 * bits nor seeds, no ids, no structure. What is asked for and cannot be said to a server is refused before it is asked.
 */
import type {
  Conversation,
  Engine,
  EngineModel,
  EnginePromises,
  EngineResult,
  EngineWork,
  RequestFacts,
  RequestIo,
} from '../engine/engine.ts'
import { type GenerateRequest, makeRequest } from '../engine/request.ts'
import type { ChoiceRequest, ChoiceResult, ScoreIo } from '../engine/score-request.ts'
import { afterDispose, SpoutError } from '../errors.ts'
import type { Asking } from './asking.ts'
import { chooseFirst } from './first-token.ts'
import { SinkHearing } from './hearing.ts'
import type { WholeAnswer } from './read-answer.ts'
import { type Call, callOf, doubtfulFields, MOST_LOGPROBS } from './request-body.ts'

/** What holds of any server. */
const REMOTE_PROMISES: EnginePromises = {
  ...{ bits: false, seeds: false, tokenIds: false, structure: 'none' },
  logprobs: MOST_LOGPROBS,
}

export interface RemoteEngineParts {
  readonly model: EngineModel
  readonly asking: Asking
  /** Answers are handed on whole: one that was cut is asked for anew. */
  readonly whole: boolean
  /** Told once of what a server may pass over. */
  readonly note: (text: string) => void
  /** Closes the connections. */
  readonly close: () => void
}

interface Timed {
  readonly hearing: SinkHearing
  readonly startedAt: number
}

export class RemoteEngine implements Engine {
  readonly promises = REMOTE_PROMISES
  readonly sharesRuns = true
  readonly #parts: RemoteEngineParts
  readonly #disposed = new AbortController()
  readonly #doubted = new Set<string>()
  #running = 0
  #rows = 0

  constructor(parts: RemoteEngineParts) {
    this.#parts = parts
  }

  get model(): EngineModel {
    return this.#parts.model
  }

  get work(): EngineWork {
    return { texts: this.#running, waiting: 0, steps: 0, rows: this.#rows }
  }

  async generate(request: GenerateRequest, io: RequestIo): Promise<EngineResult> {
    const call = callOf(request, this.model.id)
    this.#tellDoubts(request)
    const facts = factsOf(request)
    const hearing = new SinkHearing(io.sink, this.#parts.whole)
    const startedAt = performance.now()
    io.onStart?.(facts)
    this.#running++
    try {
      const answer = await this.#ask(request, call, { hearing, signal: io.signal })
      await hearing.finish()
      this.#rows += answer.usage?.completionTokens ?? 0
      return resultOf({ request, call, facts, answer }, { hearing, startedAt })
    } catch (error) {
      if (!io.signal?.aborted) throw error
      return resultOf({ request, call, facts, answer: undefined }, { hearing, startedAt })
    } finally {
      this.#running--
    }
  }

  async sample(request: GenerateRequest, ios: readonly RequestIo[]): Promise<EngineResult[]> {
    const { seed } = request.sampling
    return Promise.all(
      ios.map((io, i) => {
        const own = seed === undefined ? undefined : seed + BigInt(i)
        return this.generate({ ...request, sampling: { ...request.sampling, seed: own } }, io)
      }),
    )
  }

  /** By the first token of the answer: see first-token.ts. @throws as `chooseFirst` does */
  async choose(asked: ChoiceRequest, io: ScoreIo = {}): Promise<ChoiceResult> {
    return chooseFirst(asked, async (request, sink) => {
      const { promptTokens, finishReason } = await this.generate(request, { sink, signal: io.signal })
      if (finishReason === 'aborted') throw io.signal!.reason
      return promptTokens
    })
  }

  /** @throws SpoutError `usage` where the servers give no log-probabilities */
  async checkLogprobs(signal?: AbortSignal): Promise<void> {
    const request = makeRequest({ prompt: 'yes or no', maxTokens: 1, sampling: { logprobs: MOST_LOGPROBS } })
    let has = false
    const token = (_: number, __: string, logprobs?: object): void => {
      has ||= logprobs !== undefined
    }
    try {
      await this.generate(request, { sink: { token, lastPiece: () => undefined }, signal })
    } catch (error) {
      if (!(error instanceof SpoutError && (error.code === 'usage' || error.code === 'protocol'))) throw error
    }
    signal?.throwIfAborted()
    if (has) return
    throw new SpoutError('usage', 'engine: the server gives no log-probabilities, and they are needed', {
      hint: '--engine local',
    })
  }

  async score(): Promise<never> {
    throw new SpoutError('usage', 'score: a server elsewhere does not tell how likely a given text is', {
      hint: '--engine local',
    })
  }

  openConversation(): Conversation {
    return {
      encode() {
        throw new SpoutError('usage', 'prompt: the ids of a server elsewhere are not known')
      },
      generate: (request, io) => this.generate(request, io),
      settle: async () => ({ tokens: 0, ms: 0 }),
      dispose: () => undefined,
    }
  }

  async dispose(): Promise<void> {
    this.#disposed.abort(afterDispose('engine'))
    this.#parts.close()
  }

  async #ask(
    request: GenerateRequest,
    call: Call,
    { hearing, signal }: { readonly hearing: SinkHearing; readonly signal: AbortSignal | undefined },
  ): Promise<WholeAnswer> {
    const both =
      signal === undefined ? this.#disposed.signal : AbortSignal.any([signal, this.#disposed.signal])
    const answer = await this.#parts.asking.ask(request, call, { hearing, signal: both })
    if (request.sampling.logprobs !== undefined && hearing.hasText && !hearing.hasLogprobs)
      throw new SpoutError(
        'protocol',
        'engine: the server gave no log-probabilities, and they were asked for',
      )
    return answer
  }

  #tellDoubts(request: GenerateRequest): void {
    for (const field of doubtfulFields(request)) {
      if (this.#doubted.has(field)) continue
      this.#doubted.add(field)
      this.#parts.note(`engine: ${field} is sent, and a server that does not know it may pass it over`)
    }
  }
}

function factsOf({ sampling, raw }: GenerateRequest): RequestFacts {
  return { promptTokens: 0, keptTokens: 0, seed: sampling.seed ?? 0n, sampling, isChat: !raw }
}

interface Answered {
  readonly request: GenerateRequest
  readonly call: Call
  readonly facts: RequestFacts
  /** `undefined`: it was aborted. */
  readonly answer: WholeAnswer | undefined
}

function resultOf({ request, call, facts, answer }: Answered, { hearing, startedAt }: Timed): EngineResult {
  const endedAt = performance.now()
  const { promptTokens = 0, cachedTokens = 0, completionTokens = 0 } = answer?.usage ?? {}
  const onlyReasoned = hearing.hasReasoning && !hearing.hasText
  const finish = answer === undefined ? 'aborted' : onlyReasoned ? 'reasoning' : answer.finish
  return {
    ...facts,
    finishReason: finish,
    tokenIds: [],
    timings: {
      ...{ startedAt, endedAt, firstTextAt: hearing.firstTextAt },
      prefilledAt: hearing.firstAt ?? endedAt,
    },
    ...{ promptTokens, keptTokens: cachedTokens, completionTokens },
    ...(answer?.usage === undefined && { isUncounted: true }),
    maxTokens: call.maxTokens,
    lengthLimit: request.maxTokens ? 'asked' : call.maxTokens > 0 ? 'default' : 'engine',
  }
}
