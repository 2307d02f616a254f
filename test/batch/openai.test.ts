/** OpenAI's batch format: requests as people write them, and answers as its own descriptions want them. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { createOutputWriter } from '../../src/batch/output-format.ts'
import { TaskReader } from '../../src/batch/tasks.ts'
import type { Answer } from '../../src/openai/answer.ts'
import { recordsOf } from '../support/batch.ts'
import { GOLDEN } from '../support/models.ts'

const shapes = JSON.parse(readFileSync(join(GOLDEN, 'openai-shapes.json'), 'utf8')) as object
const ajv = new Ajv({ strict: false, schemas: [{ $id: 'openai', ...shapes }] })
const ref = (name: string) => ({ $ref: `openai#/components/schemas/${name}` })

/** As OpenAI documents the lines of an output file; its OpenAPI description has them no more. */
const envelope = (body: string) => ({
  type: 'object',
  required: ['id', 'custom_id', 'response', 'error'],
  additionalProperties: false,
  properties: {
    id: { type: 'string' },
    custom_id: { type: 'string' },
    response: {
      anyOf: [
        { type: 'null' },
        {
          type: 'object',
          required: ['status_code', 'request_id', 'body'],
          properties: { status_code: { const: 200 }, request_id: { type: 'string' }, body: ref(body) },
        },
      ],
    },
    error: {
      anyOf: [
        { type: 'null' },
        {
          type: 'object',
          required: ['code', 'message'],
          properties: { code: { type: 'string' }, message: { type: 'string' } },
        },
      ],
    },
  },
})

const REQUESTS = [
  '{"custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-3.5-turbo-0125", "messages": [{"role": "system", "content": "You are a helpful assistant."},{"role": "user", "content": "Hello world!"}],"max_tokens": 1000}}',
  '{"custom_id": "request-2", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], "logprobs": true, "top_logprobs": 1}}',
  '{"custom_id": "request-3", "method": "POST", "url": "/v1/completions", "body": {"model": "gpt-3.5-turbo-instruct", "prompt": "Once", "max_tokens": 7, "logprobs": 1}}',
  '{"custom_id": "request-4", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function"}]}}',
].join('\n')

const answer: Answer = {
  text: 'A café',
  reasoning: 'hm',
  finishReason: 'context',
  promptTokens: 9,
  completionTokens: 2,
  logprobs: [
    {
      id: 1,
      token: 'A',
      bytes: [65],
      logprob: -0.1,
      top: [{ id: 1, token: 'A', bytes: [65], logprob: -0.1 }],
    },
    { id: 2, token: ' café', bytes: [32], logprob: -2, top: [] },
  ],
}

async function linesOf(): Promise<string[]> {
  const reader = new TaskReader(
    { format: 'jsonl', header: undefined },
    { defaults: {}, template: undefined, before: undefined, runSeed: 0n, seedByLine: false },
  )
  const writer = createOutputWriter({
    format: 'json',
    withInput: false,
    header: undefined,
    model: () => 'toy',
    created: 0,
  })
  return (await recordsOf(REQUESTS, 'jsonl')).map((record) => {
    const task = reader.read(record)
    const logprobs = task.request?.sampling.logprobs === undefined ? undefined : answer.logprobs
    return writer.write(
      task.error === undefined ? { task, answer: { ...answer, logprobs } } : { task, error: task.error },
    )
  })
}

describe('answers', () => {
  test('are lines as the published description has them', async () => {
    const lines = await linesOf()
    const chat = ajv.compile(envelope('CreateChatCompletionResponse'))
    const completion = ajv.compile(envelope('CreateCompletionResponse'))
    const valid = lines.map((line, i) => (i === 2 ? completion : chat)(JSON.parse(line)))
    expect({ valid, errors: [chat.errors, completion.errors] }).toEqual({
      valid: [true, true, true, true],
      errors: [null, null],
    })
    expect(chat(JSON.parse(lines[2]!))).toBe(false)
    expect(lines.map((line) => JSON.parse(line).custom_id)).toEqual([
      'request-1',
      'request-2',
      'request-3',
      'request-4',
    ])
  })

  const python = process.env.SPOUT_PYTHON ?? 'python3'
  const hasOpenai = spawnSync(python, ['-c', 'import openai']).status === 0
  test.skipIf(!hasOpenai)("are read by OpenAI's own library (needs Python with openai)", async () => {
    const { stdout, stderr } = spawnSync(python, ['-c', PYTHON], {
      input: (await linesOf()).join(''),
      encoding: 'utf8',
    })
    expect(stderr).toBe('')
    expect(stdout).toBe(
      'chat A café length 11\nchat A café length 11\ncompletion A café length 11\nerror unsupported_field\n',
    )
  })
})

/** Strict: a field of another type than the class says is an error. */
const PYTHON = `
import json, sys
sys.stdout.reconfigure(encoding='utf-8')
from openai.types import Completion
from openai.types.chat import ChatCompletion
for line in sys.stdin.buffer.read().decode().splitlines():
    value = json.loads(line)
    if value['error'] is not None:
        print('error', value['error']['code'])
        continue
    body = value['response']['body']
    is_chat = body['object'] == 'chat.completion'
    made = (ChatCompletion if is_chat else Completion).model_validate(body, strict=True)
    choice = made.choices[0]
    text = choice.message.content if is_chat else choice.text
    print('chat' if is_chat else 'completion', text, choice.finish_reason, made.usage.total_tokens)
`
