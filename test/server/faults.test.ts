/** What clients, memory and signals do to a server at work: each its own, and nothing beside it is disturbed. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SpoutError } from '../../src/errors.ts'
import { chat, embedded, eventsOf, served, startServer, type TestServer } from '../support/api-server.ts'
import { removeToys, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

/** Goes round and round, some hundredths of a second for a token: it is at work as long as nobody ends it. */
const slow = toyModel({
  scripts: { d: ['round ', 'about '] },
  rounds: 100_000,
  contextLength: 1 << 20,
  chatTemplate: TOY_TEMPLATE,
})
afterAll(removeToys)

const ENDLESS = { model: 'slow', messages: [{ role: 'user', content: 'd' }], stream: true }
/** So long that it is never seen to end: of these tests each would take an hour. */
const LONG = chat('Once', { max_tokens: 800, ignore_eos: true, n: 64, stream: true })

/** A connection on which a request was sent. */
async function send(
  port: number,
  body: object,
  headers = '',
): Promise<{ socket: Socket; seen: () => string }> {
  const bytes = Buffer.from(JSON.stringify(body))
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${bytes.length}\r\n${headers}\r\n`,
  )
  socket.write(bytes)
  return { socket, seen: () => text }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5)
}

describe('a client that is gone frees what it held, and computing stops', () => {
  let api: TestServer
  beforeAll(async () => {
    api = await startServer({ models: [embedded, served('slow', slow)], line: { most: 2, mostWaiting: 8 } })
  })
  afterAll(() => api.server.close())

  /** Nothing is computed any more. */
  async function isQuiet(): Promise<void> {
    await api.until('spout_texts_running', (count) => count === 0)
    await api.until('spout_texts_open', (count) => count === 0)
    const rows = await api.metric('spout_rows_total')
    await sleep(50)
    expect(await api.metric('spout_rows_total')).toBe(rows)
  }

  test('in the middle of its answer, alone', async () => {
    const { socket, seen } = await send(api.port, ENDLESS)
    await until(() => seen().includes('round'))
    socket.destroy()
    await isQuiet()
    expect(await api.metric('spout_requests_cancelled_total')).toBe(1)
  })

  test('in the middle of its answer, beside another that is not disturbed', async () => {
    const other = api.ask('/v1/chat/completions', chat('My dear', { seed: 4, max_tokens: 300 }))
    const { socket, seen } = await send(api.port, chat('Once', { stream: true, ignore_eos: true }))
    await until(() => seen().includes('"content":"') && seen().length > 2000)
    socket.destroy()
    const beside = await other
    await isQuiet()
    const alone = await api.ask('/v1/chat/completions', chat('My dear', { seed: 4, max_tokens: 300 }))
    expect(beside.json.choices).toEqual(alone.json.choices)
  })

  test('while it waits for its turn', async () => {
    const running = await Promise.all([send(api.port, ENDLESS), send(api.port, ENDLESS)])
    await api.until('spout_texts_running', (count) => count === 2)
    const waiting = await send(api.port, chat('Once'))
    await api.until('spout_texts_queued', (count) => count === 1)
    waiting.socket.destroy()
    await api.until('spout_texts_queued', (count) => count === 0)
    expect(await api.metric('spout_texts_running')).toBe(2)
    for (const { socket } of running) socket.destroy()
    await isQuiet()
  })

  test('before its body is whole', async () => {
    const socket = connect(api.port, '127.0.0.1')
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"mess')
    const before = await api.metric('spout_requests_cancelled_total')
    await sleep(20)
    socket.destroy()
    await api.until('spout_requests_cancelled_total', (count) => count === before + 1)
  })

  test('of an answer that is no stream', async () => {
    const { socket } = await send(api.port, { ...ENDLESS, stream: false })
    await api.until('spout_texts_open', (count) => count === 1)
    socket.destroy()
    await isQuiet()
  })

  test('more than may wait are refused, and told when to come again', async () => {
    const running = await Promise.all([send(api.port, ENDLESS), send(api.port, ENDLESS)])
    await api.until('spout_texts_running', (count) => count === 2)
    const waiting = await Promise.all(Array.from({ length: 8 }, () => send(api.port, chat('Once'))))
    await api.until('spout_texts_queued', (count) => count === 8)
    const refused = await api.ask('/v1/chat/completions', chat('Once'))
    expect([refused.status, refused.json.error.code]).toEqual([429, 'queue_full'])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    for (const { socket } of [...running, ...waiting]) socket.destroy()
    await isQuiet()
  })
})

test('a reader that stands still is parked, then dropped, and others go on', async () => {
  const api = await startServer({ reply: { stallMs: 300, commentMs: 60_000 } })
  const { socket } = await send(api.port, LONG)
  socket.pause()
  await api.until('spout_texts_open', (count) => count > 0)
  const { status } = await api.ask('/v1/chat/completions', chat('My dear', { max_tokens: 20 }))
  expect(status).toBe(200)
  await api.until('spout_requests_cancelled_total', (count) => count === 1)
  await api.until('spout_texts_open', (count) => count === 0)
  socket.destroy()
  await api.server.close()
})

test('half a request and slow headers end with 408, connections that say nothing are closed', async () => {
  const api = await startServer({ requestMs: { headers: 200, all: 400 } })
  const begin = (bytes: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(api.port, '127.0.0.1')
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(text))
      socket.write(bytes)
    })
  const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n'
  const half = begin(`${head}content-length: 100\r\n\r\n{"mess`)
  const headers = begin(head)
  const silent = Array.from({ length: 200 }, () => begin(''))
  expect((await api.ask('/v1/chat/completions', chat('Once', { max_tokens: 2 }))).status).toBe(200)
  expect(await half).toMatch(/^HTTP\/1\.1 408 /)
  expect(await headers).toMatch(/^HTTP\/1\.1 408 /)
  await Promise.all(silent)
  await api.server.close()
})

test('a stream says that it is alive while nothing comes', async () => {
  const api = await startServer({
    models: [served('slow', slow)],
    line: { most: 1, mostWaiting: 4 },
    reply: { stallMs: 60_000, commentMs: 20 },
  })
  const first = await send(api.port, ENDLESS)
  await api.until('spout_texts_running', (count) => count === 1)
  const second = await send(api.port, ENDLESS)
  await until(() => seen(second).split(': still here').length > 3)
  first.socket.destroy()
  await until(() => seen(second).includes('round'))
  second.socket.destroy()
  await api.server.close()
})

const seen = (sent: { seen: () => string }): string => sent.seen()

describe('the end', () => {
  test('what is under way ends, what waits and what comes is refused, and health says so', async () => {
    const models = [served('slow', slow), served('other', slow)]
    const api = await startServer({ models, line: { most: 2, mostWaiting: 8 } })
    const held = await send(api.port, ENDLESS)
    const plain = { ...ENDLESS, model: 'other', stream: false, max_tokens: 40 }
    const running = api.ask('/v1/chat/completions', plain)
    await api.until('spout_texts_running', (count) => count === 2)
    const waiting = api.ask('/v1/chat/completions', plain)
    await api.until('spout_texts_queued', (count) => count === 1)
    const draining = api.server.drain(3_600_000)
    expect((await api.ask('/health')).status).toBe(503)
    const refused = await api.ask('/v1/chat/completions', chat('Once'))
    expect([refused.status, refused.json.error.code, refused.headers['retry-after']]).toEqual([
      503,
      'shutting_down',
      '10',
    ])
    expect((await running).json.usage.completion_tokens).toBe(40)
    expect((await waiting).status).toBe(503)
    held.socket.destroy()
    await draining
    await expect(api.ask('/health')).rejects.toThrow()
  })

  test('after the grace what still runs ends with an error event', async () => {
    const api = await startServer({ models: [served('slow', slow)] })
    const { seen } = await send(api.port, ENDLESS)
    const plain = api.ask('/v1/chat/completions', { ...ENDLESS, stream: false })
    await until(() => seen().includes('round'))
    await api.server.drain(0)
    await until(() => seen().includes('shutting_down'))
    const events = eventsOf(seen().replace(/\r\n[\da-f]+\r\n/g, ''))
    expect(events.some((data) => data.includes('"code":"shutting_down"'))).toBe(true)
    expect(seen()).not.toContain('[DONE]')
    expect((await plain).status).toBe(503)
  })
})

describe('models', () => {
  test('are loaded when they are asked for, and the least used makes room', async () => {
    const api = await startServer({
      models: [embedded, { ...embedded, name: 'b' }, { ...embedded, name: 'c' }],
      keep: 2,
    })
    const ask = async (model: string) =>
      (await api.ask('/v1/chat/completions', chat('Once', { model, max_tokens: 2, seed: 1 }))).json
    const first = await ask('tiny')
    expect(await api.metric('spout_models_loaded')).toBe(1)
    const others = await Promise.all([ask('b'), ask('tiny'), ask('b')])
    expect(others.map(({ model }) => model)).toEqual(['b', 'tiny', 'b'])
    expect(others.map(({ choices }) => choices)).toEqual([first.choices, first.choices, first.choices])
    await ask('tiny')
    await ask('c')
    expect(await api.metric('spout_models_loaded')).toBe(2)
    expect(await api.metric('spout_model_evictions_total')).toBe(1)
    await ask('tiny')
    expect(await api.metric('spout_model_loads_total')).toBe(3)
    await api.server.close()
  })

  test('one that is in use is not taken away: whoever wants another waits', async () => {
    const api = await startServer({ models: [served('slow', slow), embedded], keep: 1 })
    const { socket, seen } = await send(api.port, ENDLESS)
    await until(() => seen().includes('round'))
    const other = api.ask('/v1/chat/completions', chat('Once', { max_tokens: 2 }))
    const before = seen().length
    await until(() => seen().length > before + 400)
    expect(await api.metric('spout_model_evictions_total')).toBe(0)
    socket.destroy()
    expect((await other).status).toBe(200)
    await api.server.close()
  })

  test('one that cannot be opened is its own failure, and is tried again', async () => {
    let tries = 0
    const open = () => {
      tries++
      if (tries === 1) throw new SpoutError('not-found', 'model: the file is gone')
      return embedded.open()
    }
    const api = await startServer({ models: [embedded, { name: 'b', open: async () => open() }] })
    const failed = await api.ask('/v1/chat/completions', chat('Once', { model: 'b', max_tokens: 2 }))
    expect([failed.status, failed.json.error.code]).toEqual([500, 'not_found'])
    expect((await api.ask('/v1/chat/completions', chat('Once', { model: 'b', max_tokens: 2 }))).status).toBe(
      200,
    )
    await api.server.close()
  })
})
