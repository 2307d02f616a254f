/** Records into what is to be computed for them: a request, or the error that takes its answer's place. */
import { type GenerateRequest, makeRequest, type RequestInput } from '../engine/request.ts'
import { readMessages } from '../openai/messages.ts'
import { RequestError, requestErrorOf } from '../openai/request-error.ts'
import { type Body, type BodyKind, readSettings } from '../openai/settings.ts'
import { IdSet } from './id-set.ts'
import { PROMPT_FIELD } from './input-format.ts'
import { lineSeed } from './line-seed.ts'
import type { Input, InputRecord } from './records.ts'
import { LINE_FIELD, type PromptTemplate } from './template.ts'

/** How the line was written, which is how its answer is. `plain`: everything that is not OpenAI's. */
type TaskForm = BodyKind | 'plain'

export interface Task {
  readonly record: InputRecord
  readonly form: TaskForm
  /** As the line has it: `custom_id`, else `id`. */
  readonly id: string | number | undefined
  /** Absent where there is an error. */
  readonly request?: GenerateRequest
  readonly error?: RequestError
}

export interface TaskOptions {
  /** What the command line says of all requests. */
  readonly defaults: Omit<RequestInput, 'prompt' | 'history'>
  readonly template: PromptTemplate | undefined
  /** Before the prompt of every line that is no conversation of its own. */
  readonly before: string | undefined
  /** `undefined`: lines that name none get none. */
  readonly runSeed: bigint | undefined
  /** Equal lines get seeds of their own. */
  readonly seedByLine: boolean
}

/** Reads records in their order: which of two equal ids is the second depends on it. */
export class TaskReader {
  readonly #input: Pick<Input, 'format' | 'header'>
  readonly #options: TaskOptions
  readonly #ids = new IdSet()
  /** How the last line was written that could be read: what is wrong with the next is told in the same way. */
  #form: TaskForm = 'plain'

  constructor(input: Pick<Input, 'format' | 'header'>, options: TaskOptions) {
    this.#input = input
    this.#options = options
  }

  read(record: InputRecord): Task {
    const parts = this.#partsOf(record)
    const { form, id } = parts
    const error = parts.error ?? this.#repeated(id)
    if (error !== undefined) return { record, form, id, error }
    try {
      return { record, form, id, request: this.#seeded(makeRequest(parts.make!()), record.index) }
    } catch (cause) {
      return { record, form, id, error: requestErrorOf(cause) }
    }
  }

  /** A record of another shard: its id counts all the same. */
  pass(record: InputRecord): void {
    const { id, error } = this.#partsOf(record)
    if (error === undefined) this.#repeated(id)
  }

  #repeated(id: Task['id']): RequestError | undefined {
    if (id === undefined || this.#ids.add(String(id))) return undefined
    return new RequestError(
      'duplicate_id',
      `the id ${JSON.stringify(id)} is that of an earlier line`,
      'custom_id',
    )
  }

  #seeded(request: GenerateRequest, index: number): GenerateRequest {
    if (request.sampling.seed !== undefined) return request
    const { runSeed, seedByLine } = this.#options
    if (runSeed === undefined) return request
    const seed = lineSeed(request, { runSeed, index: seedByLine ? index : undefined })
    return { ...request, sampling: { ...request.sampling, seed } }
  }

  #partsOf(record: InputRecord): LineParts {
    if (record.error !== undefined) return { form: this.#form, id: undefined, error: record.error }
    const { format, header } = this.#input
    if (header !== undefined) {
      const fields = Object.fromEntries(header.map((name, i) => [name, record.cells![i]]))
      const template = this.#options.template?.fill ?? ((row) => String(row[PROMPT_FIELD]))
      return { form: 'plain', id: idOf(fields), make: () => this.#prompt(template(fields)) }
    }
    if (format === 'lines') return { form: 'plain', id: undefined, make: () => this.#line(record.raw) }
    return this.#json(record.raw)
  }

  #line(text: string): RequestInput {
    return this.#prompt(this.#options.template?.fill({ [LINE_FIELD]: text }) ?? text)
  }

  #json(raw: string): LineParts {
    let value: unknown
    try {
      value = JSON.parse(raw)
    } catch (cause) {
      const message = `not JSON: ${(cause as Error).message}`
      return { form: this.#form, id: undefined, error: new RequestError('invalid_json', message) }
    }
    if (typeof value === 'string') return { form: 'plain', id: undefined, make: () => this.#line(value) }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const error = new RequestError('invalid_json', 'neither an object nor a text')
      return { form: 'plain', id: undefined, error }
    }
    const fields = value as Body
    const form = this.#options.template === undefined ? formOf(fields) : 'plain'
    this.#form = form
    return { form, id: idOf(fields), make: () => this.#object(fields, form) }
  }

  #object(fields: Body, form: TaskForm): RequestInput {
    const { template, defaults } = this.#options
    if (template !== undefined) return this.#prompt(template.fill(fields))
    if (form === 'chat') return this.#chat(bodyOf(fields), false)
    if (form === 'completion') {
      const body = bodyOf(fields)
      const prompt = textIn(body)
      return withSettings({ ...defaults, prompt, system: undefined, raw: true }, body, 'completion')
    }
    const { id: _, custom_id: __, ...body } = fields
    if (body.messages != null) return this.#chat(body, true)
    if (body.prompt == null) {
      throw new RequestError(
        'missing_field',
        'it has none of body, messages and prompt; a --template names its fields',
      )
    }
    const { system, ...rest } = body
    const base = this.#prompt(textIn(rest))
    if (system == null) return withSettings(base, rest, 'chat')
    if (typeof system !== 'string')
      throw new RequestError('invalid_value', 'system: it is not a text', 'system')
    return withSettings({ ...base, system }, rest, 'chat')
  }

  #chat(body: Body, allowData: boolean): RequestInput {
    const { history, prompt } = readMessages(body.messages)
    const { defaults } = this.#options
    const system = history[0]?.role === 'system' ? undefined : defaults.system
    return withSettings({ ...defaults, system, history, prompt }, body, 'chat', allowData)
  }

  #prompt(text: string): RequestInput {
    const { before, defaults } = this.#options
    const prompt = before === undefined || text.trim() === '' ? text : `${before}\n\n${text}`
    return { ...defaults, prompt }
  }
}

interface LineParts {
  readonly form: TaskForm
  readonly id: Task['id']
  readonly error?: RequestError
  /** Absent where there is an error. @throws RequestError */
  readonly make?: () => RequestInput
}

/** `url` tells how the body is to be read; without it what is in the body does. */
function formOf({ body, url }: Body): TaskForm {
  if (typeof body !== 'object' || body === null) return 'plain'
  if (typeof url === 'string')
    return /\/completions$/.test(url) && !/\/chat\//.test(url) ? 'completion' : 'chat'
  return Object.hasOwn(body, 'messages') ? 'chat' : 'completion'
}

const URLS = /(^|\/)(chat\/)?completions$/
const OUTER = new Set(['custom_id', 'id', 'method', 'url', 'body'])

function bodyOf({ body, url, method, ...rest }: Body): Body {
  if (url != null && !(typeof url === 'string' && URLS.test(url))) {
    throw new RequestError(
      'unsupported_field',
      'url: only /v1/chat/completions and /v1/completions are supported',
      'url',
    )
  }
  if (method != null && method !== 'POST') {
    throw new RequestError('unsupported_field', 'method: only POST is supported', 'method')
  }
  const unknown = Object.keys(rest).find((field) => !OUTER.has(field))
  if (unknown !== undefined) throw new RequestError('unsupported_field', `${unknown}: not supported`, unknown)
  return body as Body
}

function idOf({ custom_id: custom, id = undefined }: Body): Task['id'] {
  const found = custom ?? id
  return typeof found === 'string' || typeof found === 'number' ? found : undefined
}

function textIn({ prompt }: Body): string {
  if (typeof prompt === 'string') return prompt
  throw new RequestError('invalid_value', 'prompt: it is not a text; a list needs a line for each', 'prompt')
}

function withSettings(
  base: RequestInput,
  body: Body,
  kind: BodyKind,
  allowData = kind === 'chat',
): RequestInput {
  const { sampling, ...settings } = readSettings(body, { kind, allowData })
  return { ...base, ...settings, sampling: { ...base.sampling, ...sampling } }
}
