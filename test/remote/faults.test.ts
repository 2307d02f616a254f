/**
 * A server that misbehaves, in each way that was thought of. Of one answer: it is whole, or there is an error that says what
 * happened, and what was written stays a beginning of it. Of many: none is lost, none is doubled, none is of another line.
 */
import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { makeRequest } from '../../src/engine/request.ts'
import { type ErrorCode, SpoutError } from '../../src/errors.ts'
import { openRemote } from '../../src/remote/open-remote.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import {
  answering,
  answerTo,
  beginEvents,
  chunk,
  eventsFor,
  type Script,
  type ScriptedServer,
  scriptedServer,
  sendError,
  sendJson,
  streamText,
  USAGE,
} from '../support/scripted-server.ts'

const KEY = 'sk-secret-4711'
const HTML = '<!doctype html><html><body>Sign in</body></html>'
const PATIENT = { connectMs: 60_000, headMs: 60_000, stallMs: 60_000, wholeMs: 60_000 }

/** Another origin, to which nothing may ever come. */
const elsewhere = await scriptedServer()
const servers: ScriptedServer[] = [elsewhere]
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()))
})

async function started(script: Script): Promise<ScriptedServer> {
  const server = await scriptedServer(script)
  servers.push(server)
  return server
}

interface Row {
  readonly what: string
  /** What the server does at first, or always. */
  readonly bad: Script
  /**
   * What comes of one answer that is written as it comes: it is right; it is right once it is asked for again; or the error,
   * and what was written before.
   */
  readonly one: 'right' | 'again' | readonly [ErrorCode, RegExp, written?: string]
  /** Of many: they are all right once they are asked for again (default), or what ends the run. */
  readonly many?: 'right' | ErrorCode
  readonly deadlines?: Partial<typeof PATIENT>
}

const events =
  (...list: string[]): Script =>
  (response) => {
    beginEvents(response)
    response.end(streamText(list))
  }
const raw =
  (type: string | undefined, text: string | Uint8Array, headers: object = {}): Script =>
  (response) => {
    response.writeHead(200, { ...(type && { 'content-type': type }), ...headers })
    response.end(text)
  }
const status =
  (code: number, message: string, headers: object = {}): Script =>
  (response) =>
    sendError(response, code, message, headers)
const redirect =
  (code: number, location: (path: string) => string): Script =>
  (response, { path }) => {
    response.writeHead(code, { location: location(path) })
    response.end()
  }
/** Writes, and cuts the connection once that is on its way. */
const cut =
  (text: string, type = 'text/event-stream'): Script =>
  (response) => {
    response.writeHead(200, { 'content-type': type })
    response.write(text, () => response.socket!.destroy())
  }
const bytewise = async (response: ServerResponse, bytes: Uint8Array): Promise<void> => {
  beginEvents(response)
  for (const byte of bytes)
    await new Promise<void>((resolve) => response.write(Uint8Array.of(byte), () => resolve()))
  response.end()
}
const PART = streamText([chunk('par')])

const ROWS: readonly Row[] = [
  { what: 'nothing wrong', bad: answering, one: 'right', many: 'right' },
  { what: '429 without Retry-After', bad: status(429, 'slow down'), one: 'again' },
  {
    what: '429 with Retry-After in seconds',
    bad: status(429, 'slow down', { 'retry-after': '0' }),
    one: 'again',
  },
  {
    what: '429 with Retry-After as a date',
    bad: status(429, 'slow down', { 'retry-after': new Date(0).toUTCString() }),
    one: 'again',
  },
  {
    what: '429 with a Retry-After that is too long to wait',
    bad: status(429, 'quota spent', { 'retry-after': '86400' }),
    one: ['try-later', /limits the rate of requests: quota spent/],
    many: 'try-later',
  },
  { what: '500', bad: status(500, 'oops'), one: 'again' },
  {
    what: '502 with HTML',
    bad: (r) => void r.writeHead(502, { 'content-type': 'text/html' }).end(HTML),
    one: 'again',
  },
  { what: '503 with Retry-After', bad: status(503, 'loading', { 'retry-after': '0' }), one: 'again' },
  { what: '504', bad: status(504, 'too slow'), one: 'again' },
  { what: '529, as some say it', bad: status(529, 'overloaded'), one: 'again' },
  { what: '408', bad: status(408, 'too slow'), one: 'again' },
  {
    what: '400',
    bad: status(400, 'top_k: unknown field'),
    one: ['usage', /refuses the request: top_k: unknown field/],
    many: 'usage',
  },
  { what: '422', bad: status(422, 'no'), one: ['usage', /refuses the request: no/], many: 'usage' },
  {
    what: 'a prompt that is too long',
    bad: status(400, "This model's maximum context length is 512 tokens"),
    one: ['data', /longer than its context: This model/],
    many: 'data',
  },
  {
    what: '401 that repeats the key',
    bad: status(401, `Incorrect API key: ${KEY}`),
    one: ['permission', /answers 401: Incorrect API key: \[the key\]$/],
    many: 'permission',
  },
  {
    what: '403',
    bad: status(403, 'not you'),
    one: ['permission', /answers 403: not you/],
    many: 'permission',
  },
  {
    what: '404 for the model',
    bad: status(404, 'The model `x` does not exist'),
    one: ['not-found', /answers 404: The model/],
    many: 'not-found',
  },
  {
    what: '404 with HTML',
    bad: (r) => void r.writeHead(404, { 'content-type': 'text/html' }).end(HTML),
    one: ['not-found', /answers 404$/],
    many: 'not-found',
  },
  {
    what: 'a status of no use',
    bad: status(418, 'teapot'),
    one: ['protocol', /answers 418: teapot/],
    many: 'protocol',
  },
  { what: 'a connection that is reset', bad: (r) => void r.socket!.destroy(), one: 'again' },
  { what: 'a stream that is cut before a word', bad: cut(': hello\n\n'), one: 'again' },
  {
    what: 'a stream that is cut after words',
    bad: cut(PART),
    one: ['try-later', /not whole: it was cut \(connection reset\)/, 'par'],
  },
  {
    what: 'a stream that ends after words',
    bad: raw('text/event-stream', PART),
    one: ['protocol', /the beginning of an answer, and then nothing/, 'par'],
  },
  {
    what: 'a stream that is cut within an event',
    bad: cut(`${PART}data: {"id":"one","choi`),
    one: ['try-later', /it was cut/, 'par'],
  },
  {
    what: '[DONE] without a finish_reason',
    bad: events(chunk('par'), '[DONE]'),
    one: ['protocol', /without a finish_reason/, 'par'],
  },
  {
    what: 'an empty finish_reason',
    bad: events(chunk('par', { finish: '' }), '[DONE]'),
    one: ['protocol', /without a finish_reason/, 'par'],
  },
  {
    what: 'chunks of another answer',
    bad: events(chunk('par'), chunk('other', { id: 'two' })),
    one: ['protocol', /chunks of two answers, "one" and "two"/, 'par'],
  },
  {
    what: 'an answer beside the one asked for',
    bad: events(chunk('x', { choice: { index: 1 } })),
    one: ['protocol', /answer 1, and one was asked for/],
  },
  {
    what: 'two answers at once',
    bad: events(chunk('x', { more: { choices: [{ index: 0 }, { index: 1 }] } })),
    one: ['protocol', /2 answers, and one was asked for/],
  },
  {
    what: 'text after the end',
    bad: events(chunk('par', { finish: 'stop' }), chunk('more')),
    one: ['protocol', /text after the end/, 'par'],
  },
  {
    what: 'a finish_reason that nobody knows',
    bad: events(chunk('par'), chunk(null, { finish: 'tired' })),
    one: ['protocol', /the finish_reason "tired"/, 'par'],
  },
  {
    what: 'a filter that ends the answer',
    bad: events(chunk(null, { finish: 'content_filter' })),
    one: ['protocol', /the finish_reason "content_filter"/],
  },
  {
    what: 'a call of a tool',
    bad: events(chunk(null, { choice: { delta: { tool_calls: [{ index: 0 }] } } })),
    one: ['protocol', /a call of a tool, and none was offered/],
  },
  {
    what: 'content that is no text',
    bad: events(chunk(null, { choice: { delta: { content: 7 } } })),
    one: ['protocol', /content that is no text/],
  },
  {
    what: 'choices that are no list',
    bad: events(JSON.stringify({ id: 'one', choices: 'x' })),
    one: ['protocol', /choices that are no list/],
  },
  {
    what: 'an error in the middle of a stream',
    bad: events(chunk('par'), JSON.stringify({ error: { message: 'CUDA out of memory', code: 500 } })),
    one: ['failed', /it failed \(500\): CUDA out of memory/, 'par'],
  },
  {
    what: 'an error in the middle of a stream: overloaded',
    bad: events(JSON.stringify({ error: { message: 'x', type: 'overloaded_error' } })),
    one: 'again',
  },
  {
    what: '200 with an error in JSON',
    bad: (response) => sendJson(response, 200, { error: 'model runner has stopped' }),
    one: 'again',
  },
  {
    what: 'JSON that is none',
    bad: events(chunk('par'), '{"id":"one","choices":[{'),
    one: ['protocol', /no JSON: /, 'par'],
  },
  { what: 'JSON that is no object', bad: events('7'), one: ['protocol', /no JSON object: "7"/] },
  {
    what: 'a page of HTML',
    bad: raw('text/html; charset=utf-8', HTML),
    one: ['protocol', /sent "text\/html", neither events nor JSON/],
  },
  {
    what: 'events under another content-type',
    bad: raw('text/plain', PART),
    one: ['protocol', /sent "text\/plain", neither events nor JSON/],
  },
  { what: 'no content-type', bad: raw(undefined, PART), one: ['protocol', /sent "nothing", neither/] },
  {
    what: 'a body that is packed unasked',
    bad: raw('text/event-stream', gzipSync(PART), { 'content-encoding': 'gzip' }),
    one: ['protocol', /a body packed with "gzip", and none was accepted/],
  },
  {
    what: 'a line without end',
    bad: raw('text/event-stream', `data: ${'x'.repeat(9 << 20)}\n\n`),
    one: ['protocol', /an event of more than 8388608 bytes/],
  },
  {
    what: 'an event that is no UTF-8',
    bad: raw(
      'text/event-stream',
      Buffer.concat([Buffer.from(PART), Buffer.from('data: '), Buffer.of(0xff, 10, 10)]),
    ),
    one: ['protocol', /an event that is no UTF-8/, 'par'],
  },
  {
    what: 'half of a character at the end',
    bad: events(chunk('par\ud83d'), chunk(null, { finish: 'stop' }), '[DONE]'),
    one: ['protocol', /half of a character/, 'par'],
  },
  {
    what: 'a document that is cut',
    bad: (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
      response.write('{"id":"one",', () => response.socket!.destroy())
    },
    one: 'again',
  },
  {
    what: 'a redirect to another origin',
    bad: redirect(307, (path) => elsewhere.url + path),
    one: ['protocol', /redirects to another origin, "http:\/\/127\.0\.0\.1:\d+"/],
    many: 'protocol',
  },
  {
    what: 'a redirect to another origin with another method',
    bad: redirect(302, (path) => elsewhere.url + path),
    one: ['protocol', /redirects to another origin/],
    many: 'protocol',
  },
  {
    what: 'a redirect that would lose the request',
    bad: redirect(302, () => '/v2/chat/completions'),
    one: ['protocol', /redirects \(302\) to "\/v2\/chat\/completions"/],
    many: 'protocol',
  },
  {
    what: 'redirects without end',
    bad: redirect(307, (path) => path),
    one: ['protocol', /redirects without end/],
    many: 'protocol',
  },
  {
    what: 'a redirect to nowhere',
    bad: redirect(308, () => 'http://'),
    one: ['protocol', /to no address/],
    many: 'protocol',
  },
  {
    what: 'a redirect within the origin',
    bad: (response, call) =>
      call.path.endsWith('/')
        ? answering(response, call)
        : redirect(308, (path) => `${path}/`)(response, call),
    one: 'right',
    many: 'right',
  },
  {
    what: 'a head that does not come',
    bad: () => undefined,
    one: 'again',
    deadlines: { headMs: 1000 },
  },
  {
    what: 'a head that comes byte by byte',
    bad: (response) => {
      const { socket } = response
      socket!.write('HTTP/1.1 200 OK\r\nx: ')
      const timer = setInterval(() => socket!.write('x'), 50)
      socket!.on('close', () => clearInterval(timer))
    },
    one: 'again',
    deadlines: { headMs: 1000 },
  },
  {
    what: 'a stall after words',
    bad: (response) => {
      beginEvents(response)
      response.write(PART)
    },
    one: ['try-later', /not whole: it stalled/, 'par'],
    deadlines: { stallMs: 2000 },
  },
  {
    what: 'comments for ever',
    bad: (response) => {
      beginEvents(response)
      const timer = setInterval(() => response.write(': still here\n\n'), 50)
      response.on('close', () => clearInterval(timer))
    },
    one: 'again',
    deadlines: { wholeMs: 2000 },
  },
  {
    what: 'no usage',
    bad: (response, call) => {
      beginEvents(response)
      response.end(streamText(eventsFor(call).filter((data) => data !== USAGE)))
    },
    one: 'right',
    many: 'right',
  },
  {
    what: 'a usage of nonsense',
    bad: (response, call) => {
      beginEvents(response)
      const usage = chunk(null, {
        more: { choices: null, usage: { prompt_tokens: -1, completion_tokens: 'x' } },
      })
      response.end(streamText(eventsFor(call).map((data) => (data === USAGE ? usage : data))))
    },
    one: 'right',
    many: 'right',
  },
  {
    what: '[DONE] said twice, and then an answer again',
    bad: (response, call) => {
      beginEvents(response)
      response.end(streamText([...eventsFor(call), '[DONE]', ...eventsFor(call)]))
    },
    one: 'right',
    many: 'right',
  },
  {
    what: 'no [DONE]',
    bad: (response, call) => {
      beginEvents(response)
      response.end(streamText(eventsFor(call).filter((data) => data !== '[DONE]')))
    },
    one: 'right',
    many: 'right',
  },
  {
    what: 'a connection that stays open after [DONE]',
    bad: (response, call) => {
      beginEvents(response)
      response.write(streamText(eventsFor(call)))
    },
    one: 'right',
    many: 'right',
  },
  {
    what: 'a connection that is closed after each answer without a word',
    bad: (response, call) => {
      answering(response, call)
      response.on('finish', () => response.socket?.end())
    },
    one: 'right',
    many: 'right',
  },
  {
    what: 'one byte at a time',
    bad: (response, call) => bytewise(response, Buffer.from(streamText(eventsFor(call)))),
    one: 'right',
    many: 'right',
  },
  {
    what: 'CR LF, a mark at the start, comments, names of events',
    bad: (response, call) => {
      beginEvents(response)
      const text = eventsFor(call).map((data) => `: hello\r\nevent: message\r\ndata: ${data}\r\n\r\n`)
      response.end(`\ufeff${text.join(': \r\n')}`)
    },
    one: 'right',
    many: 'right',
  },
  {
    what: 'a character in two chunks',
    bad: (response, call) => {
      beginEvents(response)
      const pieces = [...Array.from({ length: answerTo(call).length }, (_, i) => answerTo(call)[i]!)]
      response.end(
        streamText([...pieces.map((piece) => chunk(piece)), chunk(null, { finish: 'stop' }), '[DONE]']),
      )
    },
    one: 'right',
    many: 'right',
  },
  {
    what: 'a document in place of a stream',
    bad: (response, call) => {
      const message = { role: 'assistant', content: answerTo(call) }
      sendJson(response, 200, {
        id: 'one',
        choices: [{ index: 0, message, finish_reason: 'stop' }],
        usage: null,
      })
    },
    one: 'right',
    many: 'right',
  },
]

/** So that one who asks again never runs out of tries, however slow the machine is. */
const TRIES = { tries: 40, firstWaitMs: 1, longestWaitMs: 2, totalWaitMs: 5_000 }
const WRONG_AT_FIRST = 2

async function openOn(server: ScriptedServer, whole: boolean, deadlines: Row['deadlines']) {
  return openRemote({
    servers: [`${server.url}/v1`],
    model: undefined,
    key: KEY,
    env: {},
    parallel: 8,
    whole,
    deadlines: { ...PATIENT, ...deadlines },
    tries: TRIES,
    note: () => undefined,
  })
}

type Ask = (prompt: string) => Promise<{ text: string; error: unknown }>

const asking =
  (engine: Awaited<ReturnType<typeof openOn>>): Ask =>
  async (prompt) => {
    const sink = collectingSink()
    const error = await engine.generate(makeRequest({ prompt }), { sink }).then(
      () => undefined,
      (cause: unknown) => cause,
    )
    return { text: sink.text, error }
  }

const rightTo = (prompt: string): string => answerTo({ body: { prompt } })

describe.concurrent('one answer, written as it comes', () => {
  test.each(ROWS)('$what', async ({ bad, one, deadlines }) => {
    const server = await started((response, call) =>
      one === 'again' && call.place >= WRONG_AT_FIRST ? answering(response, call) : bad(response, call),
    )
    const engine = await openOn(server, false, deadlines)
    const { text, error } = await asking(engine)('a')
    await engine.dispose()
    expect(server.requests.every(({ headers }) => headers.authorization === `Bearer ${KEY}`)).toBe(true)
    if (typeof one === 'string') {
      expect(error).toBeUndefined()
      expect(text).toBe(rightTo('a'))
      return
    }
    const [code, words, written = ''] = one
    expect(error).toBeInstanceOf(SpoutError)
    expect((error as SpoutError).message).toMatch(words)
    expect((error as SpoutError).message).toMatch(/^engine: http:\/\/127\.0\.0\.1:\d+: [^\n]+$/)
    expect((error as SpoutError).message).not.toContain(KEY)
    expect([(error as SpoutError).code, text]).toEqual([code, written])
  })
})

describe.concurrent('many answers, each read when it is whole', () => {
  test.each(ROWS)('$what', async ({ bad, many, deadlines }) => {
    const prompts = Array.from({ length: 6 }, (_, i) => `line ${i}`)
    const seen = new Map<string, number>()
    const server = await started((response, call) => {
      const prompt = call.body.messages.at(-1).content
      const times = (seen.get(prompt) ?? 0) + 1
      seen.set(prompt, times)
      return many === undefined && times > WRONG_AT_FIRST ? answering(response, call) : bad(response, call)
    })
    const engine = await openOn(server, true, deadlines)
    const answers = await Promise.all(prompts.map(asking(engine)))
    await engine.dispose()
    if (many === undefined || many === 'right') {
      expect(answers.map(({ error }) => error)).toEqual(prompts.map(() => undefined))
      expect(answers.map(({ text }) => text)).toEqual(prompts.map(rightTo))
      return
    }
    const codes = answers.map(({ error }) => (error as SpoutError).code)
    expect([...new Set(codes)]).toEqual([many])
    expect(answers.map(({ text }) => text).join('')).toBe('')
  })
})

test('nothing has come to another origin, and there are as many ways as promised', () => {
  expect(elsewhere.requests).toEqual([])
  expect(ROWS.length).toBeGreaterThan(30)
  expect(new Set(ROWS.map(({ what }) => what)).size).toBe(ROWS.length)
})
