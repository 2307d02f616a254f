/** What is not answered: who may not call, what is no request, what is not supported; each with its status and its reason. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Asked, chat, startServer, type TestServer } from '../support/api-server.ts'
import { wrongWith } from '../support/openai-shapes.ts'

let api: TestServer
beforeAll(async () => {
  api = await startServer()
})
afterAll(() => api.server.close())

function refusal({ status, json }: Asked): unknown[] {
  expect(wrongWith('error', json)).toEqual([])
  return [status, json.error.code, json.error.param]
}

describe('a body', () => {
  test.each<[what: string, body: string | Uint8Array, status: number, code: string]>([
    ['that is no JSON', '{"messages": [', 400, 'invalid_json'],
    ['that is no object', '[1]', 400, 'invalid_json'],
    ['that is empty', '', 400, 'invalid_json'],
    ['that is no UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), 400, 'invalid_utf8'],
    ['that nests too deep', '['.repeat(100_000), 400, 'invalid_json'],
    [
      'that nests too deep in a schema',
      `{"response_format":${'{"a":'.repeat(70)}1${'}'.repeat(71)}`,
      400,
      'invalid_json',
    ],
    ['of more than 8 MiB', `"${'a'.repeat(8 << 20)}"`, 413, 'body_too_large'],
  ])('%s', async (_, body, status, code) => {
    expect(refusal(await api.ask('/v1/chat/completions', body))).toEqual([status, code, null])
  })

  test('brackets within texts nest nothing', async () => {
    const { status } = await api.ask('/v1/chat/completions', chat('[{"\\"['.repeat(200), { max_tokens: 1 }))
    expect(status).toBe(200)
  })

  test('in a form or an encoding that is not ours', async () => {
    const body = JSON.stringify(chat('Once'))
    const packed = { headers: { 'content-encoding': 'gzip' } }
    expect(refusal(await api.ask('/v1/chat/completions', body, packed))).toEqual([
      415,
      'unsupported_encoding',
      null,
    ])
    const form = { headers: { 'content-type': 'multipart/form-data; boundary=x' } }
    expect(refusal(await api.ask('/v1/chat/completions', body, form))).toEqual([
      415,
      'unsupported_type',
      null,
    ])
  })
})

describe('a field that is not supported, or says what cannot be, is named', () => {
  const CASES: readonly (readonly [field: string, value: unknown, code: string])[] = [
    ['foo', 1, 'unsupported_field'],
    ['maxTokens', 1, 'unsupported_field'],
    ['audio', {}, 'unsupported_field'],
    ['modalities', ['audio'], 'unsupported_field'],
    ['functions', [{}], 'unsupported_field'],
    ['prompt', 'a', 'unsupported_field'],
    ['store', true, 'unsupported_field'],
    ['temperature', 'hot', 'invalid_value'],
    ['temperature', -1, 'invalid_value'],
    ['top_p', 7, 'invalid_value'],
    ['n', 0, 'invalid_value'],
    ['n', 129, 'invalid_value'],
    ['n', 1.5, 'invalid_value'],
    ['stream', 'yes', 'invalid_value'],
    ['stream_options', { include_usage: true }, 'invalid_value'],
    ['max_tokens', 0, 'invalid_value'],
    ['top_logprobs', 3, 'invalid_value'],
    ['stop', [''], 'invalid_value'],
    ['seed', -1, 'invalid_value'],
    ['logit_bias', { a: 1 }, 'invalid_value'],
    ['prediction', 'a', 'invalid_value'],
    ['model', 7, 'invalid_value'],
  ]
  test.each(CASES)('%s: %j', async (field, value, code) => {
    const answer = await api.ask('/v1/chat/completions', chat('Once', { [field]: value }))
    expect(refusal(answer)).toEqual([400, code, field])
  })

  test('so is one within another', async () => {
    const more = { stream: true, stream_options: { other: 1 } }
    const answer = await api.ask('/v1/chat/completions', chat('Once', more))
    expect(refusal(answer)).toEqual([400, 'unsupported_field', 'stream_options.other'])
  })

  test.each([
    ['echo', true, 'unsupported_field'],
    ['suffix', 'a', 'unsupported_field'],
    ['best_of', 2, 'unsupported_field'],
    ['messages', [], 'unsupported_field'],
    ['prompt', [], 'invalid_value'],
    ['prompt', ['a', 1], 'invalid_value'],
    ['prompt', null, 'missing_field'],
  ])('of a completion, %s: %j', async (field, value, code) => {
    const answer = await api.ask('/v1/completions', { model: 'tiny', prompt: 'a', [field]: value })
    expect(refusal(answer)).toEqual([400, code, field])
  })

  test('messages that are none', async () => {
    const ask = (messages: unknown) => api.ask('/v1/chat/completions', { model: 'tiny', messages })
    expect(refusal(await ask(undefined))).toEqual([400, 'missing_field', 'messages'])
    expect(refusal(await ask([]))).toEqual([400, 'invalid_value', 'messages'])
    expect(refusal(await ask([{ role: 'robot', content: 'a' }]))).toEqual([
      400,
      'invalid_value',
      'messages[0].role',
    ])
    expect(refusal(await ask([{ role: 'user', content: ' ' }]))).toEqual([400, 'empty_prompt', 'prompt'])
  })

  test('a prompt that leaves no room for an answer', async () => {
    const answer = await api.ask('/v1/chat/completions', chat('the '.repeat(5000)))
    expect(refusal(answer)).toEqual([400, 'context_length_exceeded', 'messages'])
    const streamed = await api.ask('/v1/chat/completions', chat('the '.repeat(5000), { stream: true }))
    expect(refusal(streamed)).toEqual([400, 'context_length_exceeded', 'messages'])
  })

  test('a schema that cannot be enforced', async () => {
    const schema = { type: 'object', properties: { a: { $ref: 'https://example.org/a' } } }
    const format = { type: 'json_schema', json_schema: { name: 'a', schema } }
    const answer = await api.ask(
      '/v1/chat/completions',
      chat('Once', { response_format: format, stream: true }),
    )
    expect(refusal(answer).slice(0, 2)).toEqual([400, 'invalid_value'])
  })
})

test('a model that is not served, a route that is not there, a method that is not its own', async () => {
  const unknown = await api.ask('/v1/chat/completions', chat('Once', { model: 'gpt-4o' }))
  expect(refusal(unknown)).toEqual([404, 'model_not_found', 'model'])
  expect(refusal(await api.ask('/v1/responses', {}))).toEqual([404, 'unknown_url', null])
  expect(refusal(await api.ask('/v1/models/%ff'))).toEqual([404, 'unknown_url', null])
  expect(refusal(await api.ask('/../etc/passwd'))).toEqual([404, 'unknown_url', null])
  const wrong = await api.ask('/v1/chat/completions', undefined, { method: 'DELETE' })
  expect([...refusal(wrong), wrong.headers.allow]).toEqual([405, 'wrong_method', null, 'POST'])
})

describe('who calls', () => {
  test.each([
    ['evil.example', 403],
    ['evil.example:80', 403],
    ['localhost.evil.example', 403],
    ['10.0.0.1', 403],
    ['[::1]:80', 200],
    ['LOCALHOST:1', 200],
    ['127.0.0.1', 200],
  ])('by the host %j: %d', async (host, status) => {
    const answer = await api.ask('/health', undefined, { headers: { host } })
    expect(answer.status).toBe(status)
    if (status !== 200) expect(refusal(answer)).toEqual([403, 'host_not_allowed', null])
  })

  test('by no host at all', async () => {
    for (const request of [
      'GET /health HTTP/1.0\r\n\r\n',
      'GET /health HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n',
    ]) {
      expect(await exchange(api.port, request)).toMatch(/^HTTP\/1\.1 403 /)
    }
    expect(await exchange(api.port, 'GET /health HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
  })

  test('a page of any origin, unless it is named', async () => {
    const headers = { origin: 'https://example.org' }
    expect(refusal(await api.ask('/health', undefined, { headers }))).toEqual([
      403,
      'origin_not_allowed',
      null,
    ])
    const { server, ask } = await startServer({
      guard: { hosts: ['box.lan'], origins: ['https://example.org'], keys: [] },
    })
    const allowed = await ask('/health', undefined, { headers: { ...headers, host: 'Box.lan:8080' } })
    expect([allowed.status, allowed.headers['access-control-allow-origin']]).toEqual([
      200,
      'https://example.org',
    ])
    const first = await ask('/v1/chat/completions', undefined, { method: 'OPTIONS', headers })
    expect([first.status, first.headers['access-control-allow-methods']]).toEqual([204, 'POST'])
    const other = await ask('/health', undefined, { headers: { origin: 'null' } })
    expect(refusal(other)).toEqual([403, 'origin_not_allowed', null])
    await server.close()
  })

  test('without a key, with a wrong one, and with one of several', async () => {
    const { server, ask } = await startServer({
      guard: { hosts: [], origins: [], keys: ['first-key', 'second-key'] },
    })
    const withKey = (authorization: string) => ask('/v1/models', undefined, { headers: { authorization } })
    const without = await ask('/v1/models')
    expect([...refusal(without), without.headers['www-authenticate']]).toEqual([
      401,
      'invalid_api_key',
      null,
      'Bearer',
    ])
    for (const wrong of ['Bearer first-ke', 'Bearer first-key2', 'Basic first-key', 'Bearer', 'Bearer a b']) {
      expect(refusal(await withKey(wrong))).toEqual([401, 'invalid_api_key', null])
    }
    expect((await withKey('Bearer first-key')).status).toBe(200)
    expect((await withKey('bearer second-key')).status).toBe(200)
    expect((await ask('/metrics')).status).toBe(401)
    expect((await ask('/health')).status).toBe(200)
    expect((await ask('/v1/chat/completions', chat('Once'))).status).toBe(401)
    await server.close()
  })
})

test('what is no HTTP, and headers that are too long', async () => {
  expect(await exchange(api.port, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"invalid_http"/)
  const long = `GET /health HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`
  expect(await exchange(api.port, long)).toMatch(/^HTTP\/1\.1 431 [\s\S]*"code":"headers_too_large"/)
})

test('after an answer that was the last of its connection nothing is said, whatever comes', async () => {
  for (const method of ['OPTIONS', 'DELETE', 'GET']) {
    const head = `${method} /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`
    const text = await exchange(api.port, `${head}{"messages": []}`)
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1)
  }
})

/** What a server says to bytes, until it closes. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
    socket.write(bytes)
  })
}
