/**
 * A chat into ids. Only the template may write special tokens: a message that holds the text of one must not end the turn.
 * So such text is split by a private-use character while the template runs (it sees no whole token, and may trim, test and
 * join as it likes), the character is taken out again, and its place is remembered as a cut that no special token may span.
 * A chat without such text, nearly every one, goes through untouched.
 */

import { type CutText, putMarks, takeMarks, unusedCharacter } from '../tokenizer/cuts.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { ChatMessage, ChatTemplate, RenderOptions } from './chat-template.ts'
import { formMessages } from './content-form.ts'

/** A rendered chat: the prompt text, and the offsets that no special token may span. */
interface RenderedChat extends CutText {
  /** What the template does that nobody would expect. */
  readonly notes: readonly string[]
}

export interface RenderChatOptions extends RenderOptions {
  /** Lets special-token text inside messages become tokens. Default false: it stays text. */
  readonly allowSpecial?: boolean
}

/** @throws SpoutError `config` when the template fails. */
export function renderChat(
  { template, tokenizer }: { readonly template: ChatTemplate; readonly tokenizer: Tokenizer },
  given: readonly ChatMessage[],
  options: RenderChatOptions = {},
): RenderedChat {
  const { messages, notes } = formMessages(template, given, options)
  const guarded = options.allowSpecial ? [] : specialTexts(tokenizer.specialTokens, [messages, options.args])
  if (guarded.length === 0) return { text: template.render(messages, options), cuts: [], notes }
  const mark = unusedCharacter(JSON.stringify([template.source, messages, options.args]))
  const split = (value: unknown) => mapTexts(value, (text) => splitTokens(text, guarded, mark))
  const marked = { ...options, args: split(options.args ?? {}) as Record<string, unknown> }
  return { ...takeMarks(template.render(split(messages) as ChatMessage[], marked), mark), notes }
}

/** The ids of a rendered chat. Nothing is added: a template writes BOS itself. */
export function encodeChat(tokenizer: Tokenizer, chat: RenderedChat): Int32Array {
  return tokenizer.encode(chat.text, { addSpecialTokens: false, allowSpecial: true, cuts: chat.cuts })
}

/** The special tokens whose text occurs in the data. Nearly always none: no text has the two characters they begin with. */
function specialTexts(tokens: readonly string[], data: unknown): readonly string[] {
  const texts: string[] = []
  mapTexts(data, (text) => {
    texts.push(text)
    return text
  })
  const occurs = (part: string) => texts.some((text) => text.includes(part))
  const begun = new Set([...new Set(tokens.map((token) => token.slice(0, 2)))].filter(occurs))
  return tokens.filter((token) => token !== '' && begun.has(token.slice(0, 2)) && occurs(token))
}

/** Puts the mark after the first character of every token, overlapping ones too. */
function splitTokens(text: string, tokens: readonly string[], mark: string): string {
  const places = new Set<number>()
  for (const token of tokens) {
    for (let at = text.indexOf(token); at !== -1; at = text.indexOf(token, at + 1)) {
      places.add(at + (token.codePointAt(0)! > 0xffff ? 2 : 1))
    }
  }
  return putMarks(
    text,
    [...places].sort((a, b) => a - b),
    mark,
  )
}

function mapTexts(value: unknown, edit: (text: string) => string): unknown {
  if (typeof value === 'string') return edit(value)
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, edit))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, edit)]))
}
