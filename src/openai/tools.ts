/** The tools of a chat completion: read, checked, and put into a request in the form that its model was made for. */
import type { ToolFormat } from '../chat-template/tool-format.ts'
import type { GenerateRequest } from '../engine/request.ts'
import { RequestError } from './request-error.ts'
import type { Body } from './settings.ts'

export interface ToolUse {
  /** As they were sent: what templates take. */
  readonly tools: readonly Tool[]
  /** Which may be called, by the places of `tools`. */
  readonly callable: readonly number[]
  /** There must be a call. */
  readonly isRequired: boolean
  /** There may be several. */
  readonly isParallel: boolean
}

interface Tool {
  readonly type: 'function'
  readonly function: { readonly name: string; readonly parameters?: Body }
}

const MOST_TOOLS = 128
const NAME = /^[\w.-]{1,64}$/
const FIELDS: ReadonlySet<string> = new Set(['name', 'description', 'parameters', 'strict'])

/** @returns `undefined` where none may be called. @throws RequestError naming the field */
export function readTools({
  tools: given,
  tool_choice: choice,
  parallel_tool_calls: parallel,
}: Body): ToolUse | undefined {
  if (parallel != null && typeof parallel !== 'boolean') throw wrong('parallel_tool_calls', 'true or false')
  if (given == null || (Array.isArray(given) && given.length === 0)) {
    if (choice == null || choice === 'none' || choice === 'auto') return undefined
    throw new RequestError('invalid_value', 'tool_choice: there are no tools', 'tool_choice')
  }
  if (!Array.isArray(given) || given.length > MOST_TOOLS)
    throw wrong('tools', `a list of at most ${MOST_TOOLS} tools`)
  const tools = given.map((each: unknown, i) => readTool(each, `tools[${i}]`))
  const names = tools.map((tool) => tool.function.name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new RequestError('invalid_value', `tools: two are called ${twice}`, 'tools')
  if (choice === 'none') return undefined
  const named = readChoice(choice, names)
  return {
    tools,
    callable: tools.flatMap((_, i) => (named === undefined || named === i ? [i] : [])),
    isRequired: named !== undefined || choice === 'required',
    isParallel: parallel !== false && named === undefined,
  }
}

function readTool(value: unknown, at: string): Tool {
  const { type, function: described, ...rest } = objectIn(value, at)
  if (type !== 'function')
    throw new RequestError('unsupported_field', `${at}.type: only function is supported`, `${at}.type`)
  const more = Object.keys(rest)[0]
  if (more !== undefined)
    throw new RequestError('unsupported_field', `${at}.${more}: not supported`, `${at}.${more}`)
  const { name, description, parameters, ...others } = objectIn(described, `${at}.function`)
  if (typeof name !== 'string' || !NAME.test(name))
    throw wrong(`${at}.function.name`, 'a name of at most 64 characters')
  if (description != null && typeof description !== 'string')
    throw wrong(`${at}.function.description`, 'a text')
  if (parameters != null) objectIn(parameters, `${at}.function.parameters`)
  const unknown = Object.keys(others).find((field) => !FIELDS.has(field))
  if (unknown === undefined) return value as Tool
  throw new RequestError(
    'unsupported_field',
    `${at}.function.${unknown}: not supported`,
    `${at}.function.${unknown}`,
  )
}

/** The place of the one that must be called; `undefined`: any. */
function readChoice(choice: unknown, names: readonly string[]): number | undefined {
  if (choice == null || choice === 'auto' || choice === 'required') return undefined
  if (typeof choice === 'string') throw wrong('tool_choice', 'auto, none, required or a function')
  const { type, function: named } = objectIn(choice, 'tool_choice')
  const { name } = objectIn(named, 'tool_choice.function')
  const place = type === 'function' && typeof name === 'string' ? names.indexOf(name) : -1
  if (place >= 0) return place
  throw new RequestError('invalid_value', 'tool_choice: it names none of the tools', 'tool_choice')
}

function objectIn(value: unknown, field: string): Body {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Body
  throw wrong(field, 'an object')
}

function wrong(field: string, expected: string): RequestError {
  return new RequestError('invalid_value', `${field}: it is not ${expected}`, field)
}

/**
 * The request with its tools: the template is told of them, and what is called is held to its parameters.
 * @throws RequestError where the model has no tools, or the request holds the answer to something else
 */
export function withTools(
  request: GenerateRequest,
  use: ToolUse,
  format: ToolFormat | undefined,
): GenerateRequest {
  if (format === undefined) {
    throw new RequestError(
      'unsupported_field',
      "tools: the model's chat template has none, or none in a known form",
      'tools',
    )
  }
  if (request.structure !== undefined) {
    throw new RequestError('unsupported_field', 'response_format: not beside tools', 'response_format')
  }
  if (request.stopStrings.length > 0)
    throw new RequestError('unsupported_field', 'stop: not beside tools', 'stop')
  const { open, close, between, argumentsKey, text } = format
  const schema = JSON.stringify({
    anyOf: use.callable.map((i) => callSchema(use.tools[i]!, i, argumentsKey)),
  })
  const of = {
    ...{ kind: 'calls' as const, schema, open, close, options: { closed: true } },
    text: use.isRequired ? ('no' as const) : text,
    ...(between !== undefined && use.isParallel && { between }),
  }
  const templateArgs = { ...request.templateArgs, tools: use.tools }
  return { ...request, templateArgs, structure: { of, prompt: 'none' } }
}

/** References of a tool's parameters are to its own parts: it has a name of its own. */
function callSchema({ function: { name, parameters } }: Tool, place: number, argumentsKey: string): object {
  const args = { $id: `tool:${place}`, type: 'object', ...(parameters ?? { properties: {} }) }
  return {
    type: 'object',
    properties: { name: { const: name }, [argumentsKey]: args },
    required: ['name', argumentsKey],
    additionalProperties: false,
  }
}
