import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Template } from '@huggingface/jinja'
import { SpoutError } from '../errors.ts'
import type { Tokenizer } from './tokenizer.ts'

export interface ChatMessage {
  readonly role: string
  readonly content: unknown
  readonly [field: string]: unknown
}

export interface RenderOptions {
  /** Ends with what opens the assistant's turn. Default true. */
  readonly addGenerationPrompt?: boolean
  /** More variables of the template, for example `enable_thinking`. */
  readonly args?: Readonly<Record<string, unknown>>
}

/** A chat template of a model: messages in, prompt text out. */
export interface ChatTemplate {
  readonly source: string
  /** @throws SpoutError `config` when the template fails, refuses the messages, or does not end. */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string
}

export interface LoadChatTemplateOptions {
  /** A template file of the user's, instead of the model's. */
  readonly file?: string | undefined
  /** Which of several named templates. Default `default`. */
  readonly name?: string | undefined
}

/** The template of a model folder: chat_template.jinja, chat_template.json, tokenizer_config.json; `undefined` without one. */
export async function loadChatTemplate(
  folder: string,
  { file, name = 'default' }: LoadChatTemplateOptions = {},
): Promise<ChatTemplate | undefined> {
  const config = JSON.parse((await readOptional(join(folder, 'tokenizer_config.json'))) ?? '{}')
  const source = file === undefined ? await findSource(folder, config, name) : await readFile(file, 'utf8')
  return source === undefined ? undefined : createChatTemplate(source, specialTokenVariables(config))
}

async function readOptional(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}

async function findSource(
  folder: string,
  config: Record<string, unknown>,
  name: string,
): Promise<string | undefined> {
  const jinja = await readOptional(join(folder, 'chat_template.jinja'))
  if (jinja !== undefined) return jinja
  const json = await readOptional(join(folder, 'chat_template.json'))
  const stored = json === undefined ? config.chat_template : JSON.parse(json).chat_template
  if (typeof stored === 'string') return stored
  if (!Array.isArray(stored)) return undefined
  return stored.find((entry) => entry.name === name)?.template
}

function specialTokenVariables(config: Record<string, unknown>): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const [key, value] of Object.entries(config)) {
    if (!/^(bos|eos|unk|sep|pad|cls|mask)_token$/.test(key)) continue
    const text = typeof value === 'object' ? (value as { content?: string } | null)?.content : value
    if (typeof text === 'string') variables[key] = text
  }
  return variables
}

function createChatTemplate(source: string, variables: Record<string, string>): ChatTemplate {
  let template: Template | undefined
  return {
    source,
    render(messages, { addGenerationPrompt = true, args = {} } = {}) {
      try {
        template ??= new Template(source)
        return template.render({
          ...variables,
          ...args,
          messages,
          add_generation_prompt: addGenerationPrompt,
        })
      } catch (cause) {
        const detail = cause instanceof Error ? cause.message : String(cause)
        throw new SpoutError('config', `chat template: ${detail}`, { hint: '--raw', cause })
      }
    },
  }
}

/** A rendered chat: the text, and where special tokens must not be read because a message holds their text. */
export interface RenderedChat {
  readonly text: string
  readonly cuts: readonly number[]
}

export interface RenderChatOptions extends RenderOptions {
  /** Lets special-token text inside messages become tokens. Default false. */
  readonly allowSpecial?: boolean
}

/**
 * Renders messages so that only the template itself can write special tokens. Where a message holds the text of one, a
 * private-use character splits it during rendering; its place is remembered as a cut, and it is taken out again.
 */
export function renderChat(
  { template, tokenizer }: { template: ChatTemplate; tokenizer: Tokenizer },
  messages: readonly ChatMessage[],
  options: RenderChatOptions = {},
): RenderedChat {
  const pattern = options.allowSpecial ? undefined : specialPattern(tokenizer)
  if (pattern === undefined || !pattern.test(JSON.stringify(messages)))
    return { text: template.render(messages, options), cuts: [] }
  const splitter = unusedCharacter(template.source + JSON.stringify(messages))
  const marked = mapStrings(messages, (text) =>
    text.replace(pattern, (found) => found[0] + splitter + found.slice(1)),
  )
  const parts = template.render(marked as ChatMessage[], options).split(splitter)
  const cuts: number[] = []
  let text = ''
  for (const part of parts) {
    text += part
    cuts.push(text.length)
  }
  return { text, cuts: cuts.slice(0, -1) }
}

/** The ids of a rendered chat. The template writes BOS itself, so nothing is added. */
export function encodeChat(tokenizer: Tokenizer, chat: RenderedChat): Int32Array {
  return tokenizer.encode(chat.text, { addSpecialTokens: false, allowSpecial: true, cuts: chat.cuts })
}

function specialPattern({ specialTokens }: Tokenizer): RegExp | undefined {
  if (specialTokens.length === 0) return undefined
  const escaped = [...specialTokens]
    .sort((a, b) => b.length - a.length)
    .map((t) => t.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
  return new RegExp(escaped.join('|'), 'g')
}

function unusedCharacter(text: string): string {
  for (let code = 0xe000; ; code++)
    if (!text.includes(String.fromCharCode(code))) return String.fromCharCode(code)
}

function mapStrings(value: unknown, edit: (text: string) => string): unknown {
  if (typeof value === 'string') return edit(value)
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, edit))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapStrings(item, edit)]))
}
