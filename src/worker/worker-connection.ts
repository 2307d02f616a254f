/**
 * A connection to a run, from the worker's side. What is asked on it runs until it is answered, or until the connection is gone: then
 * computing stops within a step. A run that reads slowly holds its own answer up; one that stands still is left, and writes its answer
 * itself.
 */
import type { Socket } from 'node:net'
import type { AnswerSink, Engine, RequestIo } from '../engine/engine.ts'
import { requestFromJson } from '../engine/request-json.ts'
import { SpoutError } from '../errors.ts'
import { LineReader, lineOf, messageOf } from './lines.ts'
import { type About, type Asked, factsToJson, type Opening, resultToJson, type Said } from './protocol.ts'

/** Bytes of a request. */
const LONGEST_REQUEST = 32 << 20
/** Things that one run may ask at a time; the rest waits in its socket. */
const MOST_ASKED = 256
const BEAT_MS = 1000

export interface ConnectionParts {
  readonly engine: Engine
  /** Answers the first word; whether more may follow. */
  readonly open: (opening: Opening, connection: WorkerConnection) => Promise<boolean>
  /** Told whenever something begins or has ended. */
  readonly onActive: (change: 1 | -1) => void
  /** Gives pages to a process that writes them; false where there is no room for them. */
  readonly writeLater: (handed: HandedPages) => Promise<boolean>
  /** A run that takes nothing for so long is left, in ms. */
  readonly stallMs: number
}

export type HandedPages = NonNullable<Awaited<ReturnType<NonNullable<Engine['handOverPrompt']>>>>

type Answerable = Exclude<Asked, { do: 'cancel' }>

export class WorkerConnection {
  readonly #socket: Socket
  readonly #parts: ConnectionParts
  readonly #lines = new LineReader(LONGEST_REQUEST)
  readonly #asked = new Map<number, AbortController>()
  #opened: 'no' | 'opening' | 'yes' = 'no'
  #early: string[] = []
  #drained: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  #beat: NodeJS.Timeout | undefined

  constructor(socket: Socket, parts: ConnectionParts) {
    this.#socket = socket
    this.#parts = parts
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('drain', () => this.#drain())
    socket.on('error', () => undefined)
    socket.on('close', () => this.#end())
  }

  get isIdle(): boolean {
    return this.#asked.size === 0
  }

  /** @returns what to wait for where the run is slow to take it */
  say(said: Said): Promise<void> | undefined {
    if (this.#socket.destroyed || this.#socket.write(lineOf(said))) return undefined
    return this.#untilDrained()
  }

  hangUp(): void {
    this.#socket.end()
  }

  #take(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk)) this.#hear(line)
    } catch {
      // Nothing that a run of ours says.
      this.#socket.destroy()
    }
  }

  #hear(line: string): void {
    if (this.#opened === 'opening') return void this.#early.push(line)
    const message: unknown = messageOf(line)
    if (typeof message !== 'object' || message === null) throw new TypeError('no message')
    if (this.#opened === 'no') return void this.#open(message as Opening)
    const asked = message as Asked
    if (!Number.isSafeInteger(asked.id)) throw new TypeError('no number')
    if (asked.do === 'cancel') this.#asked.get(asked.id)?.abort()
    else void this.#answer(asked)
  }

  async #open(opening: Opening): Promise<void> {
    this.#opened = 'opening'
    try {
      if (!(await this.#parts.open(opening, this))) return this.hangUp()
      this.#opened = 'yes'
      for (const line of this.#early.splice(0)) this.#hear(line)
    } catch {
      this.#socket.destroy()
    }
  }

  async #answer(asked: Answerable): Promise<void> {
    if (this.#asked.has(asked.id)) return void this.#socket.destroy()
    const controller = new AbortController()
    this.#asked.set(asked.id, controller)
    this.#begin()
    try {
      this.say(await this.#answerTo(asked, controller.signal))
    } catch (error) {
      // Whoever cancels hears that it has ended, and goes on asking. What is no failure of ours, the run finds out by itself.
      if (controller.signal.aborted && !(error instanceof SpoutError))
        this.say({
          id: asked.id,
          is: 'failed',
          code: 'failed',
          message: 'worker: cancelled',
          hint: undefined,
        })
      else if (!(error instanceof SpoutError)) this.#socket.destroy()
      else
        this.say({ id: asked.id, is: 'failed', code: error.code, message: error.message, hint: error.hint })
    } finally {
      this.#asked.delete(asked.id)
      this.#leave()
    }
  }

  async #answerTo(asked: Answerable, signal: AbortSignal): Promise<About> {
    const { engine } = this.#parts
    const { id } = asked
    switch (asked.do) {
      case 'generate':
        return this.#generate(asked, signal)
      case 'choose': {
        const { request, empty, choices, prior, wholeAnswer } = asked
        const empties = empty && requestFromJson(empty)
        const choice = {
          request: requestFromJson(request),
          empty: empties,
          choices: [...choices],
          prior,
          wholeAnswer,
        }
        return { id, is: 'done', result: await engine.choose(choice, { signal }) }
      }
      case 'score': {
        const { text, prompt, allowSpecial } = asked
        return { id, is: 'done', result: await engine.score({ text, prompt, allowSpecial }, { signal }) }
      }
      case 'keep':
        return { id, is: 'done', result: await this.#keep(asked) }
      default:
        throw new TypeError('nothing that can be asked')
    }
  }

  async #generate(asked: Extract<Asked, { do: 'generate' }>, signal: AbortSignal): Promise<About> {
    const { engine } = this.#parts
    const { id, samples, reasons } = asked
    const heardAt = performance.now()
    const request = requestFromJson(asked.request)
    const ios = Array.from({ length: samples ?? 1 }, (_, of) => this.#io({ id, of, reasons, signal }))
    const results =
      samples === undefined ? [await engine.generate(request, ios[0]!)] : await engine.sample(request, ios)
    return { id, is: 'answers', results: results.map((result) => resultToJson(result, heardAt)) }
  }

  #io({ id, of, reasons, signal }: AnswerPlace): RequestIo {
    return {
      sink: this.#sink({ id, of, reasons }),
      signal,
      note: (text) => void this.say({ id, is: 'note', text }),
      onStart: (facts) => void this.say({ id, is: 'start', of, facts: factsToJson(facts) }),
      onPrefill: (done, total) => void this.say({ id, is: 'prefill', of, done, total }),
    }
  }

  #sink({ id, of, reasons }: Omit<AnswerPlace, 'signal'>): AnswerSink {
    return {
      token: (token, text, logprobs) => this.say({ id, is: 'token', of, token, text, logprobs }),
      lastPiece: (text) => this.say({ id, is: 'last', of, text }),
      ...(reasons && { reasoning: (text: string) => this.say({ id, is: 'reasoning', of, text }) }),
    }
  }

  async #keep({
    requests,
    msPerToken,
    leastMs,
  }: Extract<Asked, { do: 'keep' }>): Promise<object | undefined> {
    const how = { msPerToken, ...(leastMs !== undefined && { leastMs }) }
    const handed = await this.#parts.engine.handOverPrompt?.(requests.map(requestFromJson), how)
    if (handed === undefined) return undefined
    if (!(await this.#parts.writeLater(handed))) return undefined
    return { pages: handed.pages, bytes: handed.bytes }
  }

  #begin(): void {
    this.#parts.onActive(1)
    if (this.#asked.size >= MOST_ASKED) this.#socket.pause()
    this.#beat ??= setInterval(() => void this.say({ is: 'alive' }), BEAT_MS)
  }

  #leave(): void {
    if (this.#asked.size === MOST_ASKED - 1) this.#socket.resume()
    if (this.#asked.size === 0) this.#stopBeat()
    this.#parts.onActive(-1)
  }

  #stopBeat(): void {
    clearInterval(this.#beat)
    this.#beat = undefined
  }

  #untilDrained(): Promise<void> {
    if (this.#drained === undefined) {
      const { promise, resolve } = withResolver()
      const stalled = setTimeout(() => this.#socket.destroy(), this.#parts.stallMs)
      this.#drained = {
        promise,
        resolve() {
          clearTimeout(stalled)
          resolve()
        },
      }
    }
    return this.#drained.promise
  }

  #drain(): void {
    this.#drained?.resolve()
    this.#drained = undefined
  }

  #end(): void {
    this.#stopBeat()
    for (const controller of this.#asked.values()) controller.abort()
    this.#drain()
  }
}

/** Where an answer goes. */
interface AnswerPlace {
  readonly id: number
  readonly of: number
  readonly reasons: boolean
  readonly signal: AbortSignal
}

function withResolver(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
