/**
 * Requests of all kinds of nonsense: each gets an answer with a status that is no 500, and the server goes on.
 *
 *   SPOUT_SERVE_REQUESTS=5000 npx vitest run test/server/fuzz.test.ts
 */
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { chat, startServer, type TestServer } from '../support/api-server.ts'
import { wrongWith } from '../support/openai-shapes.ts'
import { makeRandom } from '../support/random.ts'

const REQUESTS = Number(process.env.SPOUT_SERVE_REQUESTS ?? 300)
const AT_ONCE = 8

let api: TestServer
beforeAll(async () => {
  api = await startServer({ requestMs: { headers: 2000, all: 2000 } })
})
afterAll(() => api.server.close())

type Random = () => number
const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)]!

/** A value of any kind, some deep, some large. */
function anything(random: Random, depth = 0): unknown {
  const kind = Math.floor(random() * (depth > 3 ? 6 : 8))
  if (kind === 0) return pick(random, [null, true, false])
  if (kind === 1) return pick(random, [0, -1, 1, 0.5, 1e308, -0, 2 ** 53, 1e-320, 7])
  if (kind === 2)
    return pick(random, [
      '',
      'a',
      '\u0000',
      '\ud800',
      '<|im_end|>',
      '__proto__',
      'x'.repeat(5000),
      'größe 🙂',
    ])
  if (kind < 6) return pick(random, ['text', 'auto', 'user', 3, ['a'], { type: 'text', text: 'a' }])
  const list = Array.from({ length: Math.floor(random() * 4) }, () => anything(random, depth + 1))
  if (kind === 6) return list
  return Object.fromEntries(list.map((value) => [pick(random, FIELDS), value]))
}

const FIELDS = [
  ...[
    'messages',
    'prompt',
    'model',
    'n',
    'stream',
    'stream_options',
    'stop',
    'seed',
    'logprobs',
    'top_logprobs',
  ],
  ...[
    'logit_bias',
    'temperature',
    'top_p',
    'top_k',
    'min_p',
    'response_format',
    'prediction',
    'tools',
    'tool_choice',
  ],
  ...[
    'max_tokens',
    'max_completion_tokens',
    'best_of',
    'echo',
    'user',
    'role',
    'content',
    'type',
    'function',
    'schema',
  ],
  ...[
    'json_schema',
    'name',
    'parameters',
    '$ref',
    'pattern',
    'properties',
    '__proto__',
    'constructor',
    'toString',
  ],
]
const SCHEMAS = [
  { type: 'string', pattern: '(a+)+$' },
  { type: 'array', items: { $ref: '#' } },
  { $ref: '#/nowhere' },
  { type: 'integer', minimum: 5, maximum: 2 },
  { anyOf: [{ type: 'null' }, { type: 'object', properties: { a: { type: 'string', maxLength: 3 } } }] },
]

/** A good request, of which some fields are something else. */
function bodyOf(random: Random): unknown {
  if (random() < 0.05) return anything(random)
  const body: Record<string, unknown> = { ...chat('Once', { max_tokens: 1 + Math.floor(random() * 4) }) }
  if (random() < 0.3) body.stream = true
  if (random() < 0.2) body.n = 1 + Math.floor(random() * 3)
  if (random() < 0.2)
    body.response_format = { type: 'json_schema', json_schema: { name: 'a', schema: pick(random, SCHEMAS) } }
  const changes = Math.floor(random() * 3)
  for (let i = 0; i < changes; i++) body[pick(random, FIELDS)] = anything(random)
  if (body.max_tokens === undefined) body.max_tokens = 3
  return body
}

/** As text that may be cut, and have other bytes in it. */
function damaged(random: Random, body: unknown): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(body) ?? 'null')
  if (random() < 0.8) return bytes
  if (random() < 0.5) return bytes.subarray(0, Math.floor(random() * bytes.length))
  for (let i = 0; i < 3; i++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
  return bytes
}

async function one(seed: number): Promise<void> {
  const random = makeRandom(seed)
  const path = pick(random, [
    '/v1/chat/completions',
    '/v1/chat/completions',
    '/v1/completions',
    '/v1/models',
    '/x',
  ])
  if (random() < 0.1) return raw(random)
  const leaves = random() < 0.1
  const body = damaged(random, bodyOf(random))
  const asked = api.ask(path, body, {
    method: random() < 0.95 ? 'POST' : pick(random, ['PUT', 'OPTIONS', 'PATCH', 'DELETE']),
    onRequest: (request) => {
      if (leaves) setImmediate(() => request.destroy())
    },
  })
  if (leaves) {
    await asked.catch(() => undefined)
    return
  }
  const { status, json, text } = await asked
  expect(status, `${seed}: ${text}`).toBeLessThan(500)
  if (status >= 400) expect(wrongWith('error', json), `${seed}`).toEqual([])
}

/** Bytes that are nearly a request. */
function raw(random: Random): Promise<void> {
  const text = `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{"prompt":1}`
  const bytes = Buffer.from(text)
  for (let i = 0; i < 4; i++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
  return new Promise((resolve) => {
    const socket = connect(api.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.on('close', () => resolve())
    socket.resume()
    socket.end(bytes)
  })
}

test(`${REQUESTS} requests of nonsense crash nothing, and leave nothing behind`, async () => {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < REQUESTS) await one(next++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  await api.until('spout_texts_running', (count) => count === 0)
  await api.until('spout_texts_open', (count) => count === 0)
  expect((await api.ask('/v1/chat/completions', chat('Once', { max_tokens: 2 }))).status).toBe(200)
}, 3_600_000)
