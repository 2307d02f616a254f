/** The response to one call: one JSON document, a text, or events as they come. A reader that stands still is given up. */
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { ApiError } from './api-error.ts'

export interface ReplyOptions {
  /** How long a reader may take nothing. */
  readonly stallMs: number
  /** After so long without a word a stream says that it is alive. */
  readonly commentMs: number
}

/** Why an answer is not written to its end. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone'
}

export class Reply {
  readonly id = `req_${randomBytes(12).toString('hex')}`
  /** Aborts when the client is gone, or does not read. */
  readonly signal: AbortSignal
  readonly #response: ServerResponse
  readonly #options: ReplyOptions
  readonly #gone = new AbortController()
  #drained: Promise<void> | undefined
  #comments: NodeJS.Timeout | undefined
  #headers: Readonly<Record<string, string>> = {}

  constructor(response: ServerResponse, options: ReplyOptions) {
    this.#response = response
    this.#options = options
    this.signal = this.#gone.signal
    response.on('close', () => {
      clearInterval(this.#comments)
      if (!response.writableFinished) this.#gone.abort(new ClientGone('the client is gone'))
    })
    response.on('error', () => undefined)
    this.addHeaders({ 'x-request-id': this.id })
  }

  /** Whatever is under way for it is to end. */
  abort(reason: unknown): void {
    this.#gone.abort(reason)
  }

  /** Tells a client to send its body that has asked whether it may. */
  goOn(): void {
    this.#response.writeContinue()
  }

  /** Of whatever the response will be. */
  addHeaders(headers: Readonly<Record<string, string>>): void {
    this.#headers = { ...this.#headers, ...headers }
  }

  get isBegun(): boolean {
    return this.#response.headersSent
  }

  get status(): number {
    return this.#response.statusCode
  }

  json(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    return this.text(status, `${JSON.stringify(body)}\n`, { 'content-type': 'application/json', ...headers })
  }

  /** Resolves when all is handed to the system, or nobody takes it. */
  async text(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    const bytes = Buffer.from(text)
    const length = status === 204 ? {} : { 'content-length': String(bytes.length) }
    this.#response.writeHead(status, { ...this.#headers, ...length, ...headers })
    await this.#end(bytes)
  }

  error(error: ApiError): Promise<void> {
    if (!this.isBegun) return this.json(error.status, error.body, error.headers)
    void this.event(JSON.stringify(error.body))
    return this.end()
  }

  /** Events follow, or comments until there is one. */
  beginEvents(): void {
    if (this.isBegun) return
    this.#response.writeHead(200, {
      ...this.#headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    })
    this.#response.flushHeaders()
  }

  /** Says from time to time that something will come, where nothing else does. */
  keepAlive(): void {
    this.#comments = setInterval(() => {
      this.beginEvents()
      if (this.#drained === undefined) void this.#write(': still here\n\n')
    }, this.#options.commentMs)
  }

  /** @returns what to wait for before more is computed: the reader is slow */
  event(data: string): Promise<void> | undefined {
    this.beginEvents()
    this.#comments?.refresh()
    return this.#write(`data: ${data}\n\n`)
  }

  end(): Promise<void> {
    clearInterval(this.#comments)
    return this.#end()
  }

  #write(text: string): Promise<void> | undefined {
    if (this.#response.destroyed || this.#response.write(text)) return undefined
    this.#drained ??= this.#untilTaken('drain').finally(() => {
      this.#drained = undefined
    })
    return this.#drained
  }

  async #end(bytes?: Buffer): Promise<void> {
    if (this.#response.destroyed) return
    const taken = this.#untilTaken('finish')
    this.#response.end(bytes)
    await taken
  }

  /** The connection is cut when nothing of it was taken for too long. */
  #untilTaken(event: 'drain' | 'finish'): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#response.off(event, done).off('close', done)
        resolve()
      }
      const timer = setTimeout(() => this.#response.destroy(), this.#options.stallMs)
      this.#response.on(event, done).on('close', done)
    })
  }
}
