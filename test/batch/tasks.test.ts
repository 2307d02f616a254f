/** What a line asks: its messages, its settings, its seed; and what is wrong with it. */
import { describe, expect, test } from 'vitest'
import { IdSet } from '../../src/batch/id-set.ts'
import type { InputFormat } from '../../src/batch/input-format.ts'
import { parseShard } from '../../src/batch/shard.ts'
import { type Task, type TaskOptions, TaskReader } from '../../src/batch/tasks.ts'
import { parseTemplate } from '../../src/batch/template.ts'
import { recordsOf } from '../support/batch.ts'

interface Given extends Partial<TaskOptions> {
  readonly format?: InputFormat
  readonly header?: readonly string[]
}

async function tasksOf(text: string, given: Given = {}): Promise<Task[]> {
  const { format = 'jsonl', header, ...options } = given
  const reader = new TaskReader(
    { format, header },
    { defaults: {}, template: undefined, before: undefined, runSeed: 0n, seedByLine: false, ...options },
  )
  return (await recordsOf(text, format)).map((record) => reader.read(record))
}

async function taskOf(value: unknown, given: Given = {}): Promise<Task> {
  const [task] = await tasksOf(typeof value === 'string' ? value : JSON.stringify(value), given)
  return task!
}

const user = (content: unknown) => ({ role: 'user', content })
const chat = (body: object) => ({
  custom_id: 'a',
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model: 'gpt', messages: [user('hi')], ...body },
})

describe('every form of a line', () => {
  test('of OpenAI: chat', async () => {
    const messages = [
      { role: 'developer', content: 'short' },
      user('one'),
      { role: 'assistant', content: '1' },
      user('two'),
    ]
    const { form, id, request } = await taskOf(chat({ messages }))
    expect({ form, id }).toEqual({ form: 'chat', id: 'a' })
    expect(request!.messages).toEqual([{ role: 'system', content: 'short' }, ...messages.slice(1)])
    expect(request!.raw).toBe(false)
  })

  test('of OpenAI: completions, which continue a text', async () => {
    const { form, request } = await taskOf({
      custom_id: 'a',
      url: '/v1/completions',
      body: { prompt: 'Once', max_tokens: 3 },
    })
    expect(form).toBe('completion')
    expect(request).toMatchObject({ raw: true, text: 'Once', maxTokens: 3 })
  })

  test('without method and url', async () => {
    expect(await taskOf({ custom_id: 'a', body: { messages: [user('hi')] } })).toMatchObject({ form: 'chat' })
    expect(await taskOf({ custom_id: 'a', body: { prompt: 'hi' } })).toMatchObject({ form: 'completion' })
  })

  test.each([
    [{ messages: [user('hi')] }, undefined],
    [{ id: 7, prompt: 'hi' }, 7],
    [{ id: 'x', prompt: 'hi', label: 'mine', score: 0.5 }, 'x'],
    ['"hi"', undefined],
  ])('%j', async (line, id) => {
    const task = await taskOf(line)
    expect(task).toMatchObject({ form: 'plain', id })
    expect(task.request!.messages).toEqual([user('hi')])
  })

  test('parts of a content are lines', async () => {
    const content = [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ]
    expect((await taskOf({ messages: [user(content)] })).request!.text).toBe('a\nb')
  })

  test('rows and plain lines, with a template and without', async () => {
    const header = ['id', 'prompt']
    const [row] = await tasksOf('id,prompt\n7,hi\n', { format: 'csv', header })
    expect(row).toMatchObject({ id: '7', request: { text: 'hi' } })
    const template = parseTemplate('Say {prompt}')
    expect((await tasksOf('id,prompt\n7,hi\n', { format: 'csv', header, template }))[0]!.request!.text).toBe(
      'Say hi',
    )
    expect((await tasksOf('{"a"', { format: 'lines' }))[0]!.request!.text).toBe('{"a"')
    const line = parseTemplate('{line}?')
    expect((await tasksOf('hi', { format: 'lines', template: line }))[0]!.request!.text).toBe('hi?')
    expect((await tasksOf('"hi"', { template: line }))[0]!.request!.text).toBe('hi?')
  })

  test('with a template the fields of an object are data, whatever they are called', async () => {
    const task = await taskOf(
      { text: 'hi', temperature: 'warm', messages: 3 },
      { template: parseTemplate('{text}') },
    )
    expect(task.request!.text).toBe('hi')
    expect(task.request!.sampling.temperature).toBeUndefined()
  })

  test('the system message is that of the line, else that of the run', async () => {
    const given = { defaults: { system: 'run' } }
    const system = async (line: object) => (await taskOf(line, given)).request!.messages[0]
    expect(await system({ prompt: 'hi' })).toEqual({ role: 'system', content: 'run' })
    expect(await system({ prompt: 'hi', system: 'line' })).toEqual({ role: 'system', content: 'line' })
    expect(await system(chat({}))).toEqual({ role: 'system', content: 'run' })
    expect(await system({ messages: [{ role: 'system', content: 'line' }, user('hi')] })).toEqual({
      role: 'system',
      content: 'line',
    })
  })

  test('a file stands before every prompt, and before no conversation', async () => {
    const text = async (line: object) => (await taskOf(line, { before: 'document' })).request!.text
    expect(await text({ prompt: 'hi' })).toBe('document\n\nhi')
    expect(await text({ messages: [user('hi')] })).toBe('hi')
  })
})

describe('settings of a line', () => {
  test('win over those of the run', async () => {
    const body = {
      temperature: 0.5,
      top_p: 0.9,
      max_completion_tokens: 5,
      stop: ['a', 'b'],
      seed: 3,
      logprobs: true,
      top_logprobs: 2,
      presence_penalty: 1,
      frequency_penalty: -1,
      logit_bias: { 5: -100 },
      top_k: -1,
      n: 1,
      stream: false,
      user: 'me',
      tools: [],
      response_format: { type: 'text' },
      temperature_: null,
      reasoning_effort: null,
    }
    const { temperature_: _, ...clean } = body
    const { request, error } = await taskOf(chat(clean), {
      defaults: { maxTokens: 9, sampling: { temperature: 1, minP: 0.1 } },
    })
    expect(error).toBeUndefined()
    expect(request).toMatchObject({
      maxTokens: 5,
      stopStrings: ['a', 'b'],
      sampling: {
        ...{ temperature: 0.5, topP: 0.9, minP: 0.1, topK: 0, seed: 3n, logprobs: 2 },
        ...{ presencePenalty: 1, frequencyPenalty: -1, logitBias: new Map([[5, -100]]) },
      },
    })
  })

  test('a structure of the line wins over that of the run, and plain text over both', async () => {
    const given = { defaults: { structure: { of: { kind: 'choice', choices: ['a', 'b'] } } } } as const
    const kindOf = async (body: object) => (await taskOf(chat(body), given)).request!.structure?.of.kind
    expect(await kindOf({})).toBe('choice')
    expect(await kindOf({ response_format: { type: 'json_object' } })).toBe('object')
    const json_schema = { name: 'x', schema: { type: 'object', properties: { a: { type: 'number' } } } }
    expect(await kindOf({ response_format: { type: 'json_schema', json_schema } })).toBe('schema')
    expect(await kindOf({ response_format: { type: 'text' } })).toBeUndefined()
  })

  test.each([
    [chat({ temperature: 'warm' }), 'invalid_value', 'temperature'],
    [chat({ temperature: 1000 }), 'invalid_value', 'temperature'],
    [chat({ max_tokens: 0 }), 'invalid_value', 'max_tokens'],
    [chat({ max_tokens: 1, max_completion_tokens: 2 }), 'invalid_value', 'max_tokens'],
    [chat({ stop: [''] }), 'invalid_value', 'stop'],
    [chat({ stop: 5 }), 'invalid_value', 'stop'],
    [chat({ seed: -1 }), 'invalid_value', 'seed'],
    [chat({ seed: 2 ** 60 }), 'invalid_value', 'seed'],
    [chat({ top_logprobs: 2 }), 'invalid_value', 'top_logprobs'],
    [chat({ logit_bias: { a: 1 } }), 'invalid_value', 'logit_bias'],
    [chat({ n: 2 }), 'unsupported_field', 'n'],
    [chat({ stream: true }), 'unsupported_field', 'stream'],
    [chat({ tools: [{ type: 'function' }] }), 'unsupported_field', 'tools'],
    [chat({ response_format: { type: 'xml' } }), 'invalid_value', 'response_format'],
    [chat({ response_format: { type: 'json_object' }, stop: 'x' }), 'invalid_value', 'stop'],
    [chat({ temprature: 1 }), 'unsupported_field', 'temprature'],
    [chat({ messages: [] }), 'invalid_value', 'messages'],
    [chat({ messages: [{ role: 'tool', content: 'x' }] }), 'invalid_value', 'messages[0].role'],
    [chat({ messages: [user('a'), { role: 'assistant', content: 'x' }] }), 'invalid_value', 'messages'],
    [chat({ messages: [user([{ type: 'image_url' }])] }), 'unsupported_field', 'messages[0].content'],
    [chat({ messages: [{ ...user('a'), tool_calls: [1] }] }), 'unsupported_field', 'messages[0].tool_calls'],
    [chat({ messages: [user(' ')] }), 'empty_prompt', 'prompt'],
    [{ ...chat({}), url: '/v1/embeddings' }, 'unsupported_field', 'url'],
    [{ ...chat({}), method: 'GET' }, 'unsupported_field', 'method'],
    [{ ...chat({}), extra: 1 }, 'unsupported_field', 'extra'],
    [{ custom_id: 'a', url: '/v1/completions', body: { prompt: ['a', 'b'] } }, 'invalid_value', 'prompt'],
    [
      { custom_id: 'a', url: '/v1/completions', body: { prompt: 'a', echo: true } },
      'unsupported_field',
      'echo',
    ],
    [{ prompt: 'a', maxTokens: 5 }, 'unsupported_field', 'maxTokens'],
    [{ text: 'a' }, 'missing_field', undefined],
    ['{"prompt": "a"', 'invalid_json', undefined],
    ['[1]', 'invalid_json', undefined],
    ['null', 'invalid_json', undefined],
  ])('%j is an error: %s', async (line, code, param) => {
    const { request, error } = await taskOf(line)
    expect(request).toBeUndefined()
    expect({ code: error?.code, param: error?.param }).toEqual({ code, param })
    expect(error!.message).not.toBe('')
  })
})

test('a line that cannot be read is answered as the one before it was', async () => {
  const lines = ['{"a"', JSON.stringify(chat({})), '{"b"', '{"prompt":"x"}', '{"c"'].join('\n')
  expect((await tasksOf(lines)).map(({ form }) => form)).toEqual(['plain', 'chat', 'chat', 'plain', 'plain'])
})

describe('ids', () => {
  test('of two that are equal the second is the error, in other shards too', async () => {
    const lines = ['a', 'b', 'a', 'c', 'b'].map((id) => JSON.stringify({ id, prompt: 'x' })).join('\n')
    const codes = (await tasksOf(lines)).map(({ error }) => error?.code)
    expect(codes).toEqual([undefined, undefined, 'duplicate_id', undefined, 'duplicate_id'])
    const reader = new TaskReader(
      { format: 'jsonl', header: undefined },
      { defaults: {}, template: undefined, before: undefined, runSeed: 0n, seedByLine: false },
    )
    const records = await recordsOf(lines, 'jsonl')
    const second = records.map((record) =>
      record.index % 2 === 0 ? reader.read(record) : reader.pass(record),
    )
    expect(second.map((task) => task?.error?.code)).toEqual([
      undefined,
      undefined,
      'duplicate_id',
      undefined,
      'duplicate_id',
    ])
  })

  test('many of them are told apart', () => {
    const ids = new IdSet()
    const added = Array.from({ length: 20_000 }, (_, id) => ids.add(`${id}`))
    expect(added).not.toContain(false)
    const again = Array.from({ length: 3000 }, (_, i) => ids.add(`${(7 * i) % 20_000}`))
    expect(again).not.toContain(true)
  })
})

describe('seeds', () => {
  const seedOf = async (line: unknown, given: Given = {}) =>
    (await taskOf(line, given)).request!.sampling.seed

  test('follow from what is asked and the seed of the run, and from nothing else', async () => {
    const seed = await seedOf({ prompt: 'a' })
    expect(seed).toBe(7732936421982607492n)
    expect(await seedOf({ id: 5, label: 'x', prompt: 'a', temperature: 1 })).toBe(seed)
    expect(await seedOf('a', { format: 'lines' })).toBe(seed)
    expect(await seedOf({ prompt: 'b' })).not.toBe(seed)
    expect(await seedOf({ prompt: 'a' }, { runSeed: 1n })).not.toBe(seed)
    expect(await seedOf({ prompt: 'a', seed: 3 })).toBe(3n)
    expect(await seedOf({ prompt: 'a', seed: '18446744073709551615' })).toBe(2n ** 64n - 1n)
  })

  test('--seed-by line: equal lines differ', async () => {
    const [a, b] = await tasksOf('"x"\n"x"', { seedByLine: true })
    expect(a!.request!.sampling.seed).not.toBe(b!.request!.sampling.seed)
  })
})

describe('--shard', () => {
  test.each([
    ['0/1', {}, [0, 1]],
    ['3/16', {}, [3, 16]],
    [
      'auto',
      {
        SLURM_ARRAY_TASK_ID: '7',
        SLURM_ARRAY_TASK_MIN: '1',
        SLURM_ARRAY_TASK_STEP: '2',
        SLURM_ARRAY_TASK_COUNT: '5',
      },
      [3, 5],
    ],
    [
      'auto',
      {
        SLURM_ARRAY_TASK_ID: '0',
        SLURM_ARRAY_TASK_MIN: '0',
        SLURM_ARRAY_TASK_COUNT: '4',
        SLURM_PROCID: '0',
        SLURM_NTASKS: '1',
      },
      [0, 4],
    ],
    ['auto/8', { JOB_COMPLETION_INDEX: '5' }, [5, 8]],
    ['auto', { JOB_COMPLETION_INDEX: '5', SPOUT_SHARD_COUNT: '8' }, [5, 8]],
    ['auto/64', { PARALLEL_SEQ: '64' }, [63, 64]],
    ['auto', { AWS_BATCH_JOB_ARRAY_INDEX: '2', AWS_BATCH_JOB_ARRAY_SIZE: '3' }, [2, 3]],
    ['auto', { CLOUD_RUN_TASK_INDEX: '0', CLOUD_RUN_TASK_COUNT: '2' }, [0, 2]],
    ['auto', { SM_CURRENT_HOST: 'algo-2', SM_HOSTS: '["algo-1","algo-2","algo-3"]' }, [1, 3]],
    ['auto', { SLURM_PROCID: '3', SLURM_NTASKS: '4' }, [3, 4]],
  ])('%s with %j is %j', (text, env, [index, count]) => {
    expect(parseShard(text, env)).toEqual({ index, count })
  })

  test.each([
    ['1/1', {}, 'is not i/n'],
    ['-1/2', {}, 'is not i/n'],
    ['1', {}, 'is not i/n'],
    ['0/0', {}, 'is not i/n'],
    ['auto', {}, 'none of SLURM_ARRAY_TASK_ID'],
    ['auto', { PARALLEL_SEQ: '1' }, 'SPOUT_SHARD_COUNT is not set'],
    ['auto/4', { PARALLEL_SEQ: '5' }, 'is none of 4'],
    [
      'auto',
      {
        SLURM_ARRAY_TASK_ID: '6',
        SLURM_ARRAY_TASK_MIN: '1',
        SLURM_ARRAY_TASK_STEP: '2',
        SLURM_ARRAY_TASK_COUNT: '5',
      },
      'is none of 5',
    ],
    // Two of sixteen that are sent again: their numbers are not those of two.
    [
      'auto/16',
      { SLURM_ARRAY_TASK_ID: '7', SLURM_ARRAY_TASK_MIN: '3', SLURM_ARRAY_TASK_COUNT: '2' },
      'auto/16: SLURM_ARRAY_TASK_COUNT is "2"',
    ],
    ['auto', { SM_CURRENT_HOST: 'x', SM_HOSTS: '["a"]' }, 'no number'],
  ])('%s with %j is refused', (text, env, message) => {
    expect(() => parseShard(text, env)).toThrow(message)
  })
})
