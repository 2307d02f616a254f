/** A server in this process that answers as a test says, well or badly, and remembers what it was asked. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface AskedCall {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
  readonly body: any
  /** Which of the calls it is, from 0. */
  readonly place: number
}

export type Script = (response: ServerResponse, call: AskedCall) => void | Promise<void>

export interface ScriptedServer {
  readonly url: string
  readonly port: number
  /** What it was asked, lists of models left out. */
  readonly calls: AskedCall[]
  /** All requests. */
  readonly requests: AskedCall[]
  script: Script
  /** What a list of models is answered with. */
  models: (response: ServerResponse) => void
  close(): Promise<void>
}

const MODELS = { object: 'list', data: [{ id: 'scripted', object: 'model' }] }

export async function scriptedServer(script: Script = answering): Promise<ScriptedServer> {
  const calls: AskedCall[] = []
  const requests: AskedCall[] = []
  const server = createServer((request, response) => {
    void textOf(request).then((text) => {
      const { method = '', url: path = '', headers } = request
      const body = text === '' ? undefined : JSON.parse(text)
      const call = { method, path, headers, body, place: calls.length }
      requests.push(call)
      if (path.endsWith('/models')) return scripted.models(response)
      calls.push(call)
      return scripted.script(response, call)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const { port } = server.address() as AddressInfo
  const scripted: ScriptedServer = {
    url: `http://127.0.0.1:${port}`,
    port,
    calls,
    requests,
    script,
    models: (response) => sendJson(response, 200, MODELS),
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
  return scripted
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const piece of request.setEncoding('utf8')) text += piece
  return text
}

export function sendJson(response: ServerResponse, status: number, body: object, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

/** An error as OpenAI's. */
export function sendError(
  response: ServerResponse,
  status: number,
  message: string,
  headers: object = {},
): void {
  sendJson(response, status, { error: { message, type: 'x', param: null, code: null } }, headers)
}

/** What the last message, or the prompt, is answered with. */
export function answerTo({ body }: Pick<AskedCall, 'body'>): string {
  return `<${body.messages?.at(-1).content ?? body.prompt}> é😀`
}

export interface ChunkFields {
  readonly id?: string
  readonly finish?: string | null
  readonly more?: object
  readonly choice?: object
}

/** The JSON of a chunk of a chat. */
export function chunk(
  content: string | null,
  { id = 'one', finish = null, more, choice }: ChunkFields = {},
): string {
  const delta = content === null ? {} : { content }
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish, ...choice }]
  return JSON.stringify({ id, object: 'chat.completion.chunk', choices, ...more })
}

export const USAGE = chunk(null, {
  more: { choices: [], usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 } },
})

/** The events of a good answer: two pieces, the end, the usage. */
export function eventsFor(call: Pick<AskedCall, 'body'>): string[] {
  const text = answerTo(call)
  const middle = text.length >> 1
  return [
    chunk('', { more: { role: 'assistant' } }),
    chunk(text.slice(0, middle)),
    chunk(text.slice(middle)),
    chunk(null, { finish: 'stop' }),
    USAGE,
    '[DONE]',
  ]
}

export function beginEvents(response: ServerResponse, headers: object = {}): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', ...headers })
}

export function streamText(events: readonly string[]): string {
  return events.map((data) => `data: ${data}\n\n`).join('')
}

export const answering: Script = (response, call) => {
  beginEvents(response)
  response.end(streamText(eventsFor(call)))
}
