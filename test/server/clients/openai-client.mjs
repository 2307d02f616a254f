/** Talks to a server as programs do that have OpenAI's own package: node openai-client.mjs URL FOLDER, FOLDER that of the package. */
import assert from 'node:assert/strict'
import { pathToFileURL } from 'node:url'

const [url, folder] = process.argv.slice(2)
const { default: OpenAI } = await import(pathToFileURL(`${folder}/index.mjs`).href)
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })
const model = 'tiny'
const chat = (content, more = {}) =>
  client.chat.completions.create({ model, messages: [{ role: 'user', content }], ...more })

const models = []
for await (const { id } of client.models.list()) models.push(id)
assert.ok(models.includes(model))

const plain = await chat('Once upon a time', { seed: 6, max_tokens: 20 })
const text = plain.choices[0].message.content
assert.equal(plain.usage.completion_tokens, 20)
let streamed = ''
for await (const { choices } of await chat('Once upon a time', { seed: 6, max_tokens: 20, stream: true }))
  streamed += choices[0].delta.content ?? ''
assert.equal(streamed, text)

const asked = { model, messages: [{ role: 'user', content: 'Once upon a time' }], seed: 6, max_tokens: 20 }
const runner = client.chat.completions.stream(asked)
assert.equal((await runner.finalChatCompletion()).choices[0].message.content, text)

const logged = await chat('Once', {
  seed: 1,
  n: 2,
  max_completion_tokens: 5,
  logprobs: true,
  top_logprobs: 1,
})
assert.equal(logged.choices[1].logprobs.content.length, 5)
const schema = {
  ...{ type: 'object', required: ['age'], additionalProperties: false },
  properties: { age: { type: 'integer', minimum: 0, maximum: 9 } },
}
const format = { type: 'json_schema', json_schema: { name: 'person', schema, strict: true } }
const person = await chat('Who?', { seed: 3, max_tokens: 60, response_format: format })
assert.deepEqual(Object.keys(JSON.parse(person.choices[0].message.content)), ['age'])
const completion = await client.completions.create({ model, prompt: 'Once', max_tokens: 4, seed: 2 })
assert.equal(completion.choices.length, 1)

const cancelled = await chat('Once', { max_tokens: 400, stream: true })
for await (const _ of cancelled) break
await assert.rejects(chat('Once', { foo: 1 }), { status: 400, code: 'unsupported_field', param: 'foo' })
await assert.rejects(chat('Once', { model: 'gpt-4o' }), { status: 404, code: 'model_not_found' })
await assert.rejects(client.embeddings.create({ model, input: 'a' }), { status: 400 })
console.log('ok')
