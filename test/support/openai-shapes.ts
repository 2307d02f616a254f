/**
 * Shapes of OpenAI's interface for ajv: those of whole answers as its OpenAPI description has them (fixtures/make/openai-shapes.py),
 * and beside them what the same description says of streams, errors and the list of models, written down here in short:
 * CreateChatCompletionStreamResponse, ChatCompletionStreamResponseDelta, ErrorResponse, ListModelsResponse, Model.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv, type ValidateFunction } from 'ajv'
import { GOLDEN } from './models.ts'

const golden = JSON.parse(readFileSync(join(GOLDEN, 'openai-shapes.json'), 'utf8')) as object
const ajv = new Ajv({ strict: false, schemas: [{ $id: 'openai', ...golden }] })
const ref = (name: string) => ({ $ref: `openai#/components/schemas/${name}` })
const nullable = (schema: object) => ({ anyOf: [{ type: 'null' }, schema] })
const object = (properties: Record<string, object>, required = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
})
const text = { type: 'string' }
const integer = { type: 'integer' }
const FINISH = ['stop', 'length', 'tool_calls', 'content_filter', 'function_call']

const toolCallChunk = object(
  {
    index: integer,
    id: text,
    type: { const: 'function' },
    function: object({ name: text, arguments: text }, []),
  },
  ['index'],
)
const delta = object(
  {
    role: { enum: ['developer', 'system', 'user', 'assistant', 'tool'] },
    content: nullable(text),
    refusal: nullable(text),
    tool_calls: { type: 'array', items: toolCallChunk },
  },
  [],
)
const logprobs = nullable(
  object({
    content: nullable({ type: 'array', items: ref('ChatCompletionTokenLogprob') }),
    refusal: nullable({ type: 'array' }),
  }),
)
const choice = object({ index: integer, delta, logprobs, finish_reason: nullable({ enum: FINISH }) }, [
  ...['delta', 'finish_reason', 'index'],
])
const model = object({ id: text, created: integer, object: { const: 'model' }, owned_by: text })

const SHAPES = {
  chat: ref('CreateChatCompletionResponse'),
  completion: ref('CreateCompletionResponse'),
  chunk: object(
    {
      id: text,
      choices: { type: 'array', items: choice },
      created: integer,
      model: text,
      object: { const: 'chat.completion.chunk' },
      usage: nullable(ref('CompletionUsage')),
    },
    ['id', 'choices', 'created', 'model', 'object'],
  ),
  error: object({ error: ref('Error') }),
  models: object({ object: { const: 'list' }, data: { type: 'array', items: model } }),
  model,
}

const compiled = new Map<keyof typeof SHAPES, ValidateFunction>()

/** What is wrong with a value that should have this shape; nothing of one that has. */
export function wrongWith(shape: keyof typeof SHAPES, value: unknown): object[] {
  const validate = compiled.get(shape) ?? ajv.compile(SHAPES[shape])
  compiled.set(shape, validate)
  return validate(value) ? [] : [...(validate.errors ?? [])]
}
