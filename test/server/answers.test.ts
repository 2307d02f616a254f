/** What the server answers is what the engine writes, in OpenAI's shapes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine, EngineResult } from '../../src/engine/engine.ts'
import { makeRequest, type RequestInput } from '../../src/engine/request.ts'
import { openEngine } from '../../src/open/open-engine.ts'
import { sampleSeed } from '../../src/sampling/rng.ts'
import { chat, eventsOf, startServer, type TestServer } from '../support/api-server.ts'
import { wrongWith } from '../support/openai-shapes.ts'

let api: TestServer
let engine: Engine
beforeAll(async () => {
  ;[api, engine] = await Promise.all([startServer(), openEngine({ threads: 1, offline: true })])
})
afterAll(async () => {
  await Promise.all([api.server.close(), engine.dispose()])
})

/** What the engine says to it alone. */
async function alone(input: RequestInput): Promise<EngineResult & { readonly text: string }> {
  let text = ''
  const add = (piece: string): void => {
    text += piece
  }
  const sink = { token: (_: number, piece: string) => add(piece), lastPiece: add }
  const result = await engine.generate(makeRequest(input), { sink })
  return { ...result, text }
}

describe('chat completions', () => {
  test('say what the engine says, and what it cost', async () => {
    const { status, json, headers } = await api.ask(
      '/v1/chat/completions',
      chat('Once upon a time', { seed: 6, max_tokens: 35 }),
    )
    const expected = await alone({ prompt: 'Once upon a time', sampling: { seed: 6n }, maxTokens: 35 })
    expect(wrongWith('chat', json)).toEqual([])
    expect(status).toBe(200)
    expect(headers['x-request-id']).toMatch(/^req_[0-9a-f]{24}$/)
    expect(json.choices).toEqual([
      {
        index: 0,
        message: { role: 'assistant', content: expected.text, refusal: null },
        logprobs: null,
        finish_reason: 'length',
      },
    ])
    expect(json.usage).toMatchObject({
      prompt_tokens: expected.promptTokens,
      completion_tokens: 35,
      total_tokens: expected.promptTokens + 35,
    })
    expect(json.model).toBe('tiny')
  })

  test('obey every setting as the flags do', async () => {
    const settings = {
      ...{ seed: 11, temperature: 0.9, top_p: 0.8, top_k: 30, min_p: 0.01, repetition_penalty: 1.1 },
      ...{
        presence_penalty: 0.4,
        frequency_penalty: 0.2,
        logit_bias: { 20: -100 },
        max_completion_tokens: 40,
      },
      ...{ stop: ['zzz', ' the'], logprobs: true, top_logprobs: 2 },
    }
    const { json } = await api.ask('/v1/chat/completions', chat('The Emperor said', settings))
    const expected = await alone({
      prompt: 'The Emperor said',
      maxTokens: 40,
      stopStrings: ['zzz', ' the'],
      sampling: {
        ...{ seed: 11n, temperature: 0.9, topP: 0.8, topK: 30, minP: 0.01, repetitionPenalty: 1.1 },
        ...{ presencePenalty: 0.4, frequencyPenalty: 0.2, logitBias: new Map([[20, -100]]), logprobs: 2 },
      },
    })
    expect(wrongWith('chat', json)).toEqual([])
    const [{ message, logprobs, finish_reason: reason }] = json.choices
    expect(message.content).toBe(expected.text)
    expect(reason).toBe(expected.finishReason === 'stop-string' ? 'stop' : 'length')
    expect(logprobs.content).toHaveLength(expected.tokenIds.length)
    expect(logprobs.content[0].top_logprobs).toHaveLength(2)
  })

  test('of several answers the first is the only one there would be, and the others follow from the seed', async () => {
    const { json } = await api.ask(
      '/v1/chat/completions',
      chat('My dear Prince', { seed: 2, n: 3, max_tokens: 12 }),
    )
    expect(wrongWith('chat', json)).toEqual([])
    const seeds = [0, 1, 2].map((i) => sampleSeed(2n, i))
    const expected = await Promise.all(
      seeds.map((seed) => alone({ prompt: 'My dear Prince', sampling: { seed }, maxTokens: 12 })),
    )
    const texts = json.choices.map(({ message }: { message: { content: string } }) => message.content)
    expect(texts).toEqual(expected.map(({ text }) => text))
    expect(json.choices.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2])
    expect(json.usage.completion_tokens).toBe(36)
  })

  test('a stream is the same answer in pieces, with its use at the end where that is asked for', async () => {
    const more = { seed: 6, max_tokens: 20, logprobs: true, n: 2 }
    const whole = (await api.ask('/v1/chat/completions', chat('Once upon a time', more))).json
    const streamed = await api.ask(
      '/v1/chat/completions',
      chat('Once upon a time', { ...more, stream: true, stream_options: { include_usage: true } }),
    )
    expect(streamed.headers['content-type']).toMatch(/^text\/event-stream/)
    const events = eventsOf(streamed.text)
    expect(events.at(-1)).toBe('[DONE]')
    const chunks = events.slice(0, -1).map((data) => JSON.parse(data))
    expect(chunks.flatMap((chunk) => wrongWith('chunk', chunk))).toEqual([])
    const { choices, usage } = chunks.at(-1)
    expect(choices).toEqual([])
    expect(usage).toMatchObject({ ...whole.usage, prompt_tokens_details: {} })
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true)
    for (const index of [0, 1]) {
      const own = chunks.flatMap((chunk) => chunk.choices).filter((each) => each.index === index)
      expect(own[0].delta).toEqual({ role: 'assistant', content: '' })
      expect(own.map(({ delta }) => delta.content ?? '').join('')).toBe(whole.choices[index].message.content)
      expect(own.flatMap(({ logprobs }) => logprobs?.content ?? [])).toEqual(
        whole.choices[index].logprobs.content,
      )
      expect(own.map((each) => each.finish_reason).filter(Boolean)).toEqual([
        whole.choices[index].finish_reason,
      ])
    }
  })

  test('JSON is held to its schema', async () => {
    const schema = {
      ...{ type: 'object', required: ['name', 'age'], additionalProperties: false },
      properties: {
        name: { type: 'string', maxLength: 5 },
        age: { type: 'integer', minimum: 0, maximum: 9 },
      },
    }
    const format = { type: 'json_schema', json_schema: { name: 'person', strict: true, schema } }
    const body = chat('Who?', { seed: 3, response_format: format, max_tokens: 60 })
    const { json } = await api.ask('/v1/chat/completions', body)
    const value = JSON.parse(json.choices[0].message.content)
    expect(Object.keys(value)).toEqual(['name', 'age'])
    const any = await api.ask(
      '/v1/chat/completions',
      chat('Who?', { seed: 3, response_format: { type: 'json_object' }, max_tokens: 30 }),
    )
    expect(any.json.choices[0].message.content).toMatch(/^\{/)
  })

  test('a prediction changes nothing of the answer', async () => {
    const more = { seed: 6, max_tokens: 20 }
    const plain = (await api.ask('/v1/chat/completions', chat('Once upon a time', more))).json
    const content = plain.choices[0].message.content
    const body = chat('Once upon a time', { ...more, prediction: { type: 'content', content } })
    expect((await api.ask('/v1/chat/completions', body)).json.choices).toEqual(plain.choices)
  })
})

describe('completions', () => {
  test('of a text, of texts and of ids', async () => {
    const more = { model: 'tiny', seed: 5, max_tokens: 9, logprobs: 1 }
    const one = (await api.ask('/v1/completions', { ...more, prompt: 'Once upon' })).json
    expect(wrongWith('completion', one)).toEqual([])
    const expected = await alone({ prompt: 'Once upon', raw: true, sampling: { seed: 5n }, maxTokens: 9 })
    expect(one.choices[0].text).toBe(expected.text)
    expect(one.choices[0].logprobs.text_offset).toHaveLength(9)

    const conversation = engine.openConversation()
    const ids = ['Once upon', 'My dear'].map((prompt) => [
      ...conversation.encode(makeRequest({ prompt, raw: true })).ids,
    ])
    conversation.dispose()
    const texts = (await api.ask('/v1/completions', { ...more, prompt: ['Once upon', 'My dear'], n: 2 })).json
    const fromIds = (await api.ask('/v1/completions', { ...more, prompt: ids, n: 2 })).json
    expect(wrongWith('completion', texts)).toEqual([])
    expect(texts.choices).toHaveLength(4)
    expect(texts.choices[0]).toEqual(one.choices[0])
    expect(fromIds.choices).toEqual(texts.choices)
    const single = (await api.ask('/v1/completions', { ...more, prompt: ids[0] })).json
    expect(single.choices).toEqual(one.choices)
  })

  test('a stream is the same in pieces', async () => {
    const more = { model: 'tiny', seed: 5, max_tokens: 9, logprobs: 1, prompt: 'Once upon' }
    const whole = (await api.ask('/v1/completions', more)).json
    const streamed = await api.ask('/v1/completions', { ...more, stream: true })
    const chunks = eventsOf(streamed.text)
      .slice(0, -1)
      .map((data) => JSON.parse(data))
    expect(chunks.every((chunk) => chunk.object === 'text_completion')).toBe(true)
    const own = chunks.flatMap((chunk) => chunk.choices)
    expect(own.map(({ text }) => text).join('')).toBe(whole.choices[0].text)
    expect(own.flatMap(({ logprobs }) => logprobs?.text_offset ?? [])).toEqual(
      whole.choices[0].logprobs.text_offset,
    )
    expect(own.at(-1).finish_reason).toBe('length')
  })

  test('an id that is none of the model is refused', async () => {
    const { status, json } = await api.ask('/v1/completions', { model: 'tiny', prompt: [1, 2560] })
    expect([status, json.error.param, json.error.message]).toEqual([
      400,
      'prompt',
      'prompt: 2560 is no token id of this model',
    ])
  })
})

test('16 clients at once are answered as each would be alone', async () => {
  const prompts = Array.from(
    { length: 16 },
    (_, i) => `${'The guns were silent. '.repeat(i % 5)}Chapter ${i}`,
  )
  const answers = await Promise.all(
    prompts.map((prompt, i) =>
      api.ask('/v1/chat/completions', chat(prompt, { seed: i, max_tokens: 40, stream: i % 2 === 0 })),
    ),
  )
  const texts = answers.map(({ text, json }) =>
    json === undefined
      ? eventsOf(text)
          .slice(0, -1)
          .map((data) => JSON.parse(data).choices[0].delta.content ?? '')
          .join('')
      : json.choices[0].message.content,
  )
  const expected: string[] = []
  for (const [i, prompt] of prompts.entries()) {
    expected.push((await alone({ prompt, sampling: { seed: BigInt(i) }, maxTokens: 40 })).text)
  }
  expect(texts).toEqual(expected)
})

test('models are listed, one is told of, and there are no embeddings', async () => {
  const { json } = await api.ask('/v1/models')
  expect(wrongWith('models', json)).toEqual([])
  expect(json.data.map(({ id }: { id: string }) => id)).toEqual(['tiny'])
  expect(wrongWith('model', (await api.ask('/v1/models/tiny')).json)).toEqual([])
  expect((await api.ask('/v1/models/other')).json.error.code).toBe('model_not_found')
  const embeddings = await api.ask('/v1/embeddings', { input: 'a' })
  expect([embeddings.status, embeddings.json.error.code]).toEqual([400, 'unsupported_endpoint'])
  expect(embeddings.json.error.message).toMatch(/give no embeddings/)
})

test('the metrics count what was done, in the format of Prometheus', async () => {
  const before = await api.metric('spout_completion_tokens_total')
  await api.ask('/v1/chat/completions', chat('Once', { max_tokens: 7 }))
  expect(await api.metric('spout_completion_tokens_total')).toBe(before + 7)
  const { text } = await api.ask('/metrics')
  for (const line of text.trimEnd().split('\n')) {
    expect(line).toMatch(
      /^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [\d.e+-]+|\w+_bucket\{le="(\+Inf|[\d.]+)"\} \d+)$/,
    )
  }
  expect(text).toMatch(/^spout_requests_total\{route="\/v1\/chat\/completions",status="200"\} \d+$/m)
})
