/** One call, answered: its texts wait their turn, are written by the engine, and go out as a document or as events. */
import { createHash } from 'node:crypto'
import type { Engine, EngineResult } from '../engine/engine.ts'
import type { Answer } from '../openai/answer.ts'
import { RequestError } from '../openai/request-error.ts'
import { withTools } from '../openai/tools.ts'
import { Chunks, documentOf, type Envelope, type Usage } from './answer-shapes.ts'
import { ChoiceWriter } from './choice-writer.ts'
import type { Metrics } from './metrics.ts'
import type { Call, Prompt } from './read-call.ts'
import type { Reply } from './reply.ts'
import type { Lease, Shelf } from './shelf.ts'
import type { WaitingLine } from './waiting-line.ts'

export interface Service {
  readonly shelf: Shelf
  readonly line: WaitingLine
  readonly metrics: Metrics
  /** What becomes of reasoning: it is sent beside the answer, or dropped. */
  readonly think: 'show' | 'hide'
}

export interface Caller {
  readonly reply: Reply
  /** Whose turn it is among those who wait. */
  readonly client: string
  /** Whose prompts its own may share beginnings with; `undefined`: anybody's. */
  readonly owner: string | undefined
  /** When the request came, of `performance.now`. */
  readonly cameAt: number
}

/** @throws what ended it, if it was not answered; the response may have begun */
export async function answerCall(call: Call, caller: Caller, service: Service): Promise<Usage> {
  const { reply } = caller
  const model = service.shelf.find(call.model)
  service.line.checkRoom(call.n * call.prompts.length)
  if (call.stream) reply.keepAlive()
  const lease = await service.shelf.lease(model, reply.signal)
  try {
    checkIds(call.prompts, lease.engine)
    const answering = new Answering(toolsAdded(call, lease.engine), caller, service, lease)
    return await answering.run()
  } finally {
    lease.release()
  }
}

/** @throws RequestError for an id that is none of the model's */
function checkIds(prompts: readonly Prompt[], { model: { vocabSize } }: Engine): void {
  const wrong = prompts.flatMap(({ ids }) => [...(ids ?? [])]).find((id) => id >= vocabSize)
  if (wrong === undefined) return
  throw new RequestError('invalid_value', `prompt: ${wrong} is no token id of this model`, 'prompt')
}

/** @throws RequestError where the model cannot call them */
function toolsAdded(call: Call, { model: { toolFormat } }: Engine): Call {
  const { tools, prompts } = call
  if (tools === undefined) return call
  return {
    ...call,
    prompts: prompts.map(({ request }) => ({ request: withTools(request, tools, toolFormat) })),
  }
}

class Answering {
  readonly #call: Call
  readonly #caller: Caller
  readonly #service: Service
  readonly #engine: Engine
  readonly #envelope: Envelope
  readonly #chunks: Chunks | undefined
  #promptTokens = 0
  #cachedTokens = 0
  #completionTokens = 0

  constructor(call: Call, caller: Caller, service: Service, { engine, name }: Lease) {
    this.#call = call
    this.#caller = caller
    this.#service = service
    this.#engine = engine
    const { kind, stream, includeUsage } = call
    const id = caller.reply.id.replace('req_', kind === 'chat' ? 'chatcmpl-' : 'cmpl-')
    const created = Math.floor(Date.now() / 1000)
    this.#envelope = { id, created, model: name, fingerprint: fingerprintOf(engine) }
    this.#chunks = stream ? new Chunks(kind, this.#envelope, includeUsage) : undefined
  }

  async run(): Promise<Usage> {
    const { kind, prompts, includeUsage } = this.#call
    const { reply, cameAt } = this.#caller
    const answers = (await this.#all(prompts)).flat()
    const usage = this.#usage
    if (this.#chunks === undefined) await reply.json(200, documentOf(kind, this.#envelope, answers, usage))
    else {
      if (includeUsage) void reply.event(this.#chunks.usage(usage))
      void reply.event('[DONE]')
      await reply.end()
    }
    this.#service.metrics.duration.add(performance.now() - cameAt)
    return usage
  }

  /** Where one fails, the others are of no use. */
  async #all(prompts: readonly Prompt[]): Promise<Answer[][]> {
    const groups = prompts.map(async (prompt, place) => {
      try {
        return await this.#group(prompt, place * this.#call.n)
      } catch (error) {
        this.#caller.reply.abort(error)
        throw error
      }
    })
    await Promise.allSettled(groups)
    return Promise.all(groups)
  }

  /** The answers to one prompt. @param first the number of the first among all answers */
  async #group({ request, ids }: Prompt, first: number): Promise<Answer[]> {
    const { reply, client, owner } = this.#caller
    const { n } = this.#call
    const leave = await this.#service.line.enter(client, n, reply.signal)
    try {
      const writers = Array.from({ length: n }, (_, i) => this.#writer(first + i))
      const encoded = ids && { ids, rendered: undefined, notes: [] }
      const ios = writers.map((writer) => ({
        ...{ sink: writer.sink, signal: reply.signal, owner, encoded },
        onStart: () => writer.begin(),
      }))
      const results =
        n === 1 ? [await this.#engine.generate(request, ios[0]!)] : await this.#engine.sample(request, ios)
      this.#count(results)
      if (results.some(({ finishReason }) => finishReason === 'aborted')) throw reply.signal.reason
      return results.map((result, i) => writers[i]!.end(result))
    } finally {
      leave()
    }
  }

  #count(results: readonly EngineResult[]): void {
    const [{ promptTokens, keptTokens }] = results as [EngineResult]
    const written = results.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0)
    this.#promptTokens += promptTokens
    this.#cachedTokens += keptTokens
    this.#completionTokens += written
    const { metrics } = this.#service
    metrics.promptTokens += promptTokens
    metrics.cachedTokens += keptTokens
    metrics.completionTokens += written
  }

  get #usage(): Usage {
    return {
      promptTokens: this.#promptTokens,
      cachedTokens: this.#cachedTokens,
      completionTokens: this.#completionTokens,
    }
  }

  /** Where one answer goes. */
  #writer(index: number): ChoiceWriter {
    const { reply, cameAt } = this.#caller
    const { metrics, think } = this.#service
    const tools = this.#call.tools && this.#engine.model.toolFormat
    return new ChoiceWriter({ ...{ index, reply, cameAt, metrics, think, tools }, chunks: this.#chunks })
  }
}

/** Changes with what answers depend on. */
function fingerprintOf({ model: { id, revision, dtype } }: Engine): string {
  const text = JSON.stringify([id, revision, dtype])
  return `fp_${createHash('sha256').update(text).digest('hex').slice(0, 10)}`
}
