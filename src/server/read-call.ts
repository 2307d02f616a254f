/** The body of a call into what is asked: requests for the engine, and how the answers are to be written. */
import { type GenerateRequest, makeChatRequest, makeRequest, type RequestInput } from '../engine/request.ts'
import { readToolMessages } from '../openai/messages.ts'
import { RequestError, requestErrorOf } from '../openai/request-error.ts'
import { type Body, type BodyKind, readSettings } from '../openai/settings.ts'
import { readTools, type ToolUse } from '../openai/tools.ts'

/** What requests are given that do not say it themselves. */
export type CallDefaults = Pick<RequestInput, 'maxTokens' | 'templateArgs' | 'drafts'>

export interface Prompt {
  readonly request: GenerateRequest
  /** Where the prompt came as ids. */
  readonly ids?: Int32Array
}

export interface Call {
  readonly kind: BodyKind
  /** As the body names it; `undefined`: it does not. */
  readonly model: string | undefined
  readonly prompts: readonly Prompt[]
  readonly tools: ToolUse | undefined
  /** Answers to each prompt. */
  readonly n: number
  readonly stream: boolean
  /** The stream ends with what was used. */
  readonly includeUsage: boolean
}

/** Answers of one call, of all its prompts. */
const MOST_ANSWERS = 128

/** @throws RequestError naming the field */
export function readCall(kind: BodyKind, body: Body, defaults: CallDefaults): Call {
  const { model, n, best_of: best, stream, stream_options: options, prompt, messages, ...settings } = body
  const { tools, tool_choice: toolChoice, parallel_tool_calls: parallel, ...others } = settings
  const rest = kind === 'chat' ? others : settings
  const isStream = choice(stream, 'stream') ?? false
  const count = n == null ? 1 : wholeNumber(n, 'n')
  if (best != null && best !== count) {
    throw new RequestError('unsupported_field', 'best_of: only the same as n is supported', 'best_of')
  }
  if (model != null && typeof model !== 'string') throw wrong('model', 'a text')
  const prompts =
    kind === 'chat'
      ? [chatPrompt({ ...rest, prompt, messages }, defaults)]
      : textPrompts(prompt, { ...rest, messages }, defaults)
  if (count * prompts.length > MOST_ANSWERS) {
    throw new RequestError('invalid_value', `n: more than ${MOST_ANSWERS} answers in one call`, 'n')
  }
  return {
    ...{ kind, prompts, n: count, stream: isStream },
    tools:
      kind === 'chat'
        ? readTools({ tools, tool_choice: toolChoice, parallel_tool_calls: parallel })
        : undefined,
    model: model ?? undefined,
    includeUsage: readStreamOptions(options, isStream),
  }
}

function chatPrompt({ messages, prompt, ...settings }: Body, defaults: CallDefaults): Prompt {
  if (messages == null) throw new RequestError('missing_field', 'messages: missing', 'messages')
  if (prompt != null) throw new RequestError('unsupported_field', 'prompt: not supported', 'prompt')
  const chat = readToolMessages(messages)
  const { role, content } = chat.at(-1)!
  if (role === 'user' && `${content}`.trim() === '') {
    throw new RequestError('empty_prompt', 'prompt: it is empty', 'prompt')
  }
  return { request: made(() => makeChatRequest(chat, withSettings(settings, 'chat', defaults))) }
}

function textPrompts(prompt: unknown, { messages, ...settings }: Body, defaults: CallDefaults): Prompt[] {
  if (messages != null) throw new RequestError('unsupported_field', 'messages: not supported', 'messages')
  const input = { ...withSettings(settings, 'completion', defaults), raw: true }
  return promptsIn(prompt).map((each) => {
    if (typeof each === 'string') return { request: made(() => makeRequest({ ...input, prompt: each })) }
    return { request: made(() => makeChatRequest([], input)), ids: Int32Array.from(each) }
  })
}

/** A text, texts, ids, or lists of ids. */
function promptsIn(prompt: unknown): (string | number[])[] {
  if (prompt == null) throw new RequestError('missing_field', 'prompt: missing', 'prompt')
  const list = Array.isArray(prompt) && !isIds(prompt) ? (prompt as unknown[]) : [prompt]
  if (list.length > 0 && list.every((each) => typeof each === 'string' || isIds(each))) {
    return list as (string | number[])[]
  }
  throw wrong('prompt', 'a text, a list of texts, token ids, or a list of lists of token ids')
}

function isIds(value: unknown): value is number[] {
  const isId = (id: unknown): boolean =>
    Number.isInteger(id) && (id as number) >= 0 && (id as number) < 2 ** 31
  return Array.isArray(value) && value.length > 0 && value.every(isId)
}

function withSettings(settings: Body, kind: BodyKind, defaults: CallDefaults): Omit<RequestInput, 'prompt'> {
  const read = readSettings(settings, { kind, allowData: false })
  const templateArgs = { ...defaults.templateArgs, ...read.templateArgs }
  return { ...defaults, ...read, templateArgs: kind === 'chat' ? templateArgs : {} }
}

/** What is wrong with the values is the sender's fault. */
function made<T>(make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw requestErrorOf(cause)
  }
}

function readStreamOptions(value: unknown, isStream: boolean): boolean {
  if (value == null) return false
  if (!isStream)
    throw new RequestError('invalid_value', 'stream_options: needs "stream": true', 'stream_options')
  if (typeof value !== 'object' || Array.isArray(value)) throw wrong('stream_options', 'an object')
  const { include_usage: usage, include_obfuscation: obfuscation, ...rest } = value as Body
  const unknown = choice(obfuscation, 'stream_options.include_obfuscation')
    ? 'include_obfuscation'
    : Object.keys(rest)[0]
  if (unknown !== undefined) {
    const field = `stream_options.${unknown}`
    throw new RequestError('unsupported_field', `${field}: not supported`, field)
  }
  return choice(usage, 'stream_options.include_usage') ?? false
}

function choice(value: unknown, field: string): boolean | undefined {
  if (value == null || typeof value === 'boolean') return value ?? undefined
  throw wrong(field, 'true or false')
}

function wholeNumber(value: unknown, field: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MOST_ANSWERS)
    return value as number
  throw wrong(field, `a whole number from 1 to ${MOST_ANSWERS}`)
}

function wrong(field: string, expected: string): RequestError {
  return new RequestError('invalid_value', `${field}: it is not ${expected}`, field)
}
