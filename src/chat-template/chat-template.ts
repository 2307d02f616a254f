/** The chat template of a model: where it is kept, and messages into prompt text. */
import { createReadStream } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { SpoutError } from '../errors.ts'
import { readRegularLater } from '../system/regular-file.ts'
import { escapeText } from '../system/text-display.ts'
import { withTimeLimit } from '../system/time-limit.ts'
import { isObject } from '../tokenizer/tokenizer-json.ts'
import { type Clock, clockOf } from './clock.ts'
import type { TemplateProgram } from './jinja.ts'

export interface ChatMessage {
  readonly role: string
  readonly content: unknown
  readonly [field: string]: unknown
}

export interface RenderOptions {
  /** Ends with what opens the assistant's turn. Default true. */
  readonly addGenerationPrompt?: boolean
  /** More variables of the template, for example `{ enable_thinking: false }`. */
  readonly args?: Readonly<Record<string, unknown>>
}

export interface ChatTemplate {
  readonly source: string
  /** What ends a turn for the tokenizer: its `eos_token`. */
  readonly eosToken: string | undefined
  /** The variables that it looks up. @throws SpoutError `config` */
  names(): ReadonlySet<string>
  /** @throws SpoutError `config` when the template fails, refuses the messages, or takes too long. */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string
}

export interface LoadChatTemplateOptions {
  /** A template file of the user's, instead of the model's. */
  readonly file?: string | undefined
  /** Which of several named templates. */
  readonly name?: string | undefined
  /** What it is told of the time. Default: the time of the system, or of SOURCE_DATE_EPOCH. */
  readonly clock?: (() => Clock) | undefined
}

type Json = Readonly<Record<string, unknown>>

/** Templates in use have up to 30 kB. */
const LONGEST = 1 << 20

/**
 * The template of a model folder: chat_template.jinja, else chat_template.json, else tokenizer_config.json, where it is a
 * text or a list of named ones. `undefined` when the model has none.
 * @throws SpoutError `not-found` for a missing `file`, `config` for a file that cannot be read.
 */
export async function loadChatTemplate(
  folder: string,
  { file, name, clock = () => clockOf(process.env) }: LoadChatTemplateOptions = {},
): Promise<ChatTemplate | undefined> {
  const config = (await readJson(folder, 'tokenizer_config.json')) ?? {}
  const source = file === undefined ? await findSource(folder, config, name) : await readUserFile(file)
  if (source === undefined) return undefined
  const legacy = (await readJson(folder, 'special_tokens_map.json')) ?? {}
  const { compileTemplate } = await import('./jinja.ts')
  const compile = (): TemplateProgram => compileTemplate(source)
  return createChatTemplate({
    source,
    compile,
    clock,
    tokens: { ...specialTokens(legacy), ...specialTokens(config) },
  })
}

async function findSource(
  folder: string,
  config: Json,
  name: string | undefined,
): Promise<string | undefined> {
  const jinja = await readOptional(folder, 'chat_template.jinja')
  if (jinja !== undefined && name === undefined) return jinja
  const stored = (await readJson(folder, 'chat_template.json'))?.chat_template ?? config.chat_template
  return pickTemplate(stored, name) ?? jinja
}

/** A template as a JSON file keeps it. */
function pickTemplate(stored: unknown, name = 'default'): string | undefined {
  if (typeof stored === 'string') return stored
  if (!Array.isArray(stored)) return undefined
  const found = stored.find((entry) => isObject(entry) && entry.name === name)
  if (found === undefined && stored.length > 0) {
    const names = stored
      .map((entry) => (isObject(entry) && typeof entry.name === 'string' ? entry.name : '?'))
      .join(', ')
    throw failure(`none is called ${name}`, { hint: `the model has: ${names}` })
  }
  return typeof found?.template === 'string' ? found.template : undefined
}

/** Bytes of a file of the user's. */
const LONGEST_FILE = 2 ** 26

/** A pipe will do; a device that never ends will not. */
async function readUserFile(file: string): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > LONGEST_FILE) {
        throw new SpoutError('config', `chat template: longer than ${LONGEST_FILE >> 20} MiB`)
      }
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof SpoutError) throw cause
    throw new SpoutError('not-found', 'chat template: the file cannot be read', { cause })
  }
  const bytes = Buffer.concat(chunks)
  const text = textOf(bytes, 'chat template')
  return /^\s*\{\s*"/.test(text) ? templateOfJson(text) : text
}

function textOf(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new SpoutError('config', `${name}: the file is not UTF-8`, { cause })
  }
}

/** A whole tokenizer_config.json will do as a template file too. */
function templateOfJson(text: string): string {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return text
  }
  return (isObject(json) ? pickTemplate(json.chat_template) : undefined) ?? text
}

async function readOptional(folder: string, name: string): Promise<string | undefined> {
  const bytes = await readRegularLater(join(folder, name)).catch(async (cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw new SpoutError('config', `${name}: cannot be read`, { cause })
    if (!(await isLink(join(folder, name)))) return undefined
    const hint = 'it is a link to nothing: download the model again'
    throw new SpoutError('config', `${name}: cannot be read`, { hint, cause })
  })
  return bytes && textOf(bytes, name)
}

/** A link to nothing is damage, and not the same as no file. */
async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

async function readJson(folder: string, name: string): Promise<Json | undefined> {
  const text = await readOptional(folder, name)
  if (text === undefined) return undefined
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new SpoutError('config', `${name}: is not JSON`, { cause })
  }
  if (!isObject(json)) throw new SpoutError('config', `${name}: is not an object`)
  return json
}

/** `bos_token` and its like, which are texts or objects with a `content`. */
function specialTokens(config: Json): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of Object.entries(config)) {
    const text = isObject(value) ? value.content : value
    if (/^\w+_token$/.test(name) && typeof text === 'string') found[name] = text
  }
  return found
}

interface TemplateParts {
  readonly source: string
  readonly compile: () => TemplateProgram
  readonly clock: () => Clock
  /** `bos_token` and its like. */
  readonly tokens: Json
}

function createChatTemplate({ source, compile, clock, tokens }: TemplateParts): ChatTemplate {
  if (source.length > LONGEST) throw failure('is longer than 1 MiB')
  let compiled: TemplateProgram | undefined
  const program = (): TemplateProgram => {
    compiled ??= compile()
    return compiled
  }
  return {
    source,
    eosToken: typeof tokens.eos_token === 'string' ? tokens.eos_token : undefined,
    names: () => guarded(() => program().names),
    render(messages, { addGenerationPrompt = true, args = {} } = {}) {
      const given = { messages, add_generation_prompt: addGenerationPrompt }
      const variables = { tools: null, documents: null, ...tokens, ...args, ...given }
      return guarded(() => program().run(variables, clock()))
    },
  }
}

/** Runs what a template may make fail, or last. @throws SpoutError `config` */
function guarded<T>(work: () => T): T {
  try {
    return withTimeLimit(work, LIMIT)
  } catch (cause) {
    if (cause instanceof SpoutError) throw cause
    throw failure(complaint(cause), { hint: '--raw sends the prompt without a template', cause })
  }
}

/** Every step of a template is paid for; this is for what nobody has thought of. */
const LIMIT = { ms: 10_000, error: () => failure('takes too long') }

function failure(detail: string, options: { hint?: string; cause?: unknown } = {}): SpoutError {
  return new SpoutError('config', `chat template: ${detail}`, options)
}

/** The template's own complaint, on one line. */
function complaint(cause: unknown): string {
  if (cause instanceof RangeError)
    return /string|size|length/i.test(cause.message) ? 'writes too much' : 'nests too deeply'
  return escapeText((cause instanceof Error ? cause.message : String(cause)).slice(0, 500))
}
