/** A server in this process, on a free port of loopback, and what tests ask of it. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { asSpoutError } from '../../src/cli/terminal/messages.ts'
import { openEngine } from '../../src/open/open-engine.ts'
import { ApiServer, type ServerOptions } from '../../src/server/server.ts'
import type { ServedModel } from '../../src/server/shelf.ts'

export interface TestServer {
  readonly server: ApiServer
  readonly port: number
  readonly url: string
  /** One response, all of it. */
  ask(path: string, body?: unknown, options?: AskOptions): Promise<Asked>
  /** One of the metrics, by its name without labels. */
  metric(name: string): Promise<number>
  /** Asks until it is so. It is bounded by the time of the test. */
  until(name: string, isSo: (value: number) => boolean): Promise<void>
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Told of the request as soon as there is one. */
  readonly onRequest?: (request: ClientRequest) => void
}

export interface Asked {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says
  readonly json: any
}

export const embedded: ServedModel = { name: 'tiny', open: () => openEngine({ threads: 1, offline: true }) }

export function served(name: string, folder: string): ServedModel {
  return { name, open: () => openEngine({ model: folder, threads: 1, offline: true, prepare: false }) }
}

export async function startServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const server = new ApiServer({
    models: [embedded],
    keep: 4,
    guard: { hosts: [], origins: [], keys: [] },
    line: { most: 16, mostWaiting: 256 },
    reply: { stallMs: 60_000, commentMs: 60_000 },
    requestMs: { headers: 60_000, all: 60_000 },
    mostConnections: 2048,
    defaults: {},
    think: 'show',
    asSpoutError,
    ...options,
  })
  const { port } = (await server.listen({ host: '127.0.0.1', port: 0 })) as AddressInfo
  const metric = async (name: string): Promise<number> => {
    const { text } = await ask(port, '/metrics')
    const [, value] = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text) ?? []
    return Number(value)
  }
  return {
    server,
    port,
    url: `http://127.0.0.1:${port}`,
    ask: (path, body, how) => ask(port, path, body, how),
    metric,
    async until(name, isSo) {
      while (!isSo(await metric(name))) await sleep(5)
    },
  }
}

async function ask(port: number, path: string, body?: unknown, options: AskOptions = {}): Promise<Asked> {
  const { method = body === undefined ? 'GET' : 'POST', headers = {}, onRequest } = options
  const bytes = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false })
    request.on('error', reject)
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => {
        text += piece
      })
      response.on('error', reject)
      response.on('end', () => {
        const isJson = response.headers['content-type'] === 'application/json'
        const { statusCode: status = 0, headers: said } = response
        resolve({ status, headers: said, text, json: isJson ? JSON.parse(text) : undefined })
      })
    })
    onRequest?.(request)
    request.end(bytes)
  })
}

/** The data of a stream's events. The last of one that ended well is `[DONE]`. */
export function eventsOf(text: string): string[] {
  return text.split('\n\n').flatMap((event) => (event.startsWith('data: ') ? [event.slice(6)] : []))
}

/** A chat of one message. */
export function chat(content: string, more: object = {}): object {
  return { model: 'tiny', messages: [{ role: 'user', content }], ...more }
}
