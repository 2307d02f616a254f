/** What an answer is written as. */
import { expect, test } from 'vitest'
import type { Outcome } from '../../src/batch/outcome.ts'
import { createOutputWriter, type OutputOptions } from '../../src/batch/output-format.ts'
import type { Task } from '../../src/batch/tasks.ts'
import type { Answer } from '../../src/openai/answer.ts'
import { RequestError } from '../../src/openai/request-error.ts'

const answer: Answer = {
  text: 'two\nlines, "quoted" \\ \u2028',
  reasoning: '',
  finishReason: 'stop-string',
  promptTokens: 3,
  completionTokens: 4,
  logprobs: undefined,
}
const record = { index: 5, line: 7, raw: '{"id":"x","prompt":"hi"}', after: 100 }
const task = (extra: Partial<Task> = {}): Task => ({ record, form: 'plain', id: 'x', ...extra })
const error = new RequestError('invalid_value', 'temperature: it is not a number', 'temperature')

function written(outcome: Outcome, options: Partial<OutputOptions> = {}): string {
  const all = {
    format: 'json',
    withInput: false,
    header: undefined,
    model: () => 'toy',
    created: 0,
    ...options,
  } as const
  return createOutputWriter(all).write(outcome)
}

test('JSON: index, id, text, finish_reason, usage', () => {
  const line = written({ task: task(), answer })
  expect(line).toMatch(/^[ -~]*\n$/)
  expect(JSON.parse(line)).toEqual({
    index: 5,
    id: 'x',
    text: answer.text,
    finish_reason: 'stop-string',
    usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
  })
})

test('JSON: reasoning, log-probabilities and the input where there are some', () => {
  const logprobs = [{ id: 1, token: 'a', bytes: [97], logprob: -1, top: [] }]
  const line = written(
    { task: task(), answer: { ...answer, reasoning: 'hm', logprobs } },
    { withInput: true },
  )
  expect(JSON.parse(line)).toMatchObject({ input: { id: 'x', prompt: 'hi' }, reasoning: 'hm', logprobs })
})

test('JSON: an error has the place of its line, and no text', () => {
  expect(JSON.parse(written({ task: task(), error }))).toEqual({
    index: 5,
    id: 'x',
    error: {
      code: 'invalid_value',
      message: 'temperature: it is not a number',
      param: 'temperature',
      type: 'invalid_request_error',
      line: 7,
    },
  })
})

test('text: one line for each, whatever is in it', () => {
  expect(written({ task: task(), answer }, { format: 'text' })).toBe('two\\nlines, "quoted" \\\\ \u2028\n')
  expect(written({ task: task(), error }, { format: 'text' })).toBe('\n')
})

test('rows: the row and its answer', () => {
  const cells = { ...record, cells: ['x', 'a,b'] }
  const options = { format: 'csv', header: ['id', 'text'] } as const
  expect(createOutputWriter({ ...options, withInput: false, model: () => '', created: 0 }).head).toBe(
    'id,text,answer_text,finish_reason,error\n',
  )
  expect(written({ task: task({ record: cells }), answer: { ...answer, text: 'b' } }, options)).toBe(
    'x,"a,b",b,stop-string,\n',
  )
  expect(written({ task: task({ record: { ...record, cells: ['x'] } }), error }, options)).toBe(
    'x,,,,temperature: it is not a number\n',
  )
})

test('rows of an input that has none: number, id, answer', () => {
  expect(
    written({ task: task(), answer: { ...answer, text: 'b' } }, { format: 'tsv', withInput: true }),
  ).toBe('5\tx\t"{""id"":""x"",""prompt"":""hi""}"\tb\tstop-string\t\n')
})

test('OpenAI: the same line gives the same bytes', () => {
  const outcome = { task: task({ form: 'chat' }), answer }
  expect(written(outcome)).toBe(written(outcome))
  expect(JSON.parse(written(outcome))).toMatchObject({
    id: expect.stringMatching(/^batch_req_[0-9a-f]{24}$/),
    custom_id: 'x',
    response: { status_code: 200, body: { model: 'toy', choices: [{ finish_reason: 'stop' }] } },
    error: null,
  })
  expect(JSON.parse(written({ task: task({ form: 'chat' }), error }))).toMatchObject({
    custom_id: 'x',
    response: null,
    error: { code: 'invalid_value', line: 7 },
  })
})
