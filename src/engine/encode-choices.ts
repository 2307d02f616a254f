/**
 * A question and its choices as ids. Each choice is encoded together with the question, so that its first token is the one
 * that would be written there: with its blank, or joined to what stands before it. Where the choices part from the question is
 * where all of them, and the question by itself, have the same ids no longer.
 */
import { encodeChat } from '../chat-template/chat.ts'
import type { ChatTemplate } from '../chat-template/chat-template.ts'
import { SpoutError } from '../errors.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import { commonLength, encodePrompt, renderPrompt } from './encode-prompt.ts'
import type { GenerateRequest } from './request.ts'

export interface EncodedChoices {
  readonly prompt: Int32Array
  /** The ids of each behind the prompt. */
  readonly choices: readonly Int32Array[]
  readonly isChat: boolean
}

/** @throws SpoutError `data` where nothing stands before the choices, `usage` for a choice that is no text */
export function encodeChoices(
  request: GenerateRequest,
  choices: readonly string[],
  model: { readonly tokenizer: Tokenizer; readonly template: ChatTemplate | undefined },
): EncodedChoices {
  const isChat = !request.raw && model.template !== undefined
  const { prompt, joined } = isChat
    ? encodeInChat(request, choices, { ...model, template: model.template! })
    : encodeInText(request, choices, model.tokenizer)
  const length = Math.min(...joined.map((ids) => commonLength(prompt, ids)))
  if (length === 0) throw new SpoutError('data', 'prompt: nothing of it stands before the choices')
  const behind = joined.map((ids) => ids.subarray(length))
  return { prompt: prompt.subarray(0, length), choices: behind, isChat }
}

interface Joined {
  readonly prompt: Int32Array
  /** The prompt with each of the choices. */
  readonly joined: readonly Int32Array[]
}

/** Whoever ends a text with white space, or begins a choice so, has said what stands between them; else it is a blank. */
function encodeInText(request: GenerateRequest, choices: readonly string[], tokenizer: Tokenizer): Joined {
  const encode = (text: string): Int32Array =>
    encodePrompt({ ...request, raw: true, text }, tokenizer, undefined).ids
  const { text } = request
  const blank = (choice: string): string => (/\s$/.test(text) || /^\s/.test(choice) ? '' : ' ')
  return { prompt: encode(text), joined: choices.map((choice) => encode(text + blank(choice) + choice)) }
}

function encodeInChat(
  request: GenerateRequest,
  choices: readonly string[],
  { tokenizer, template }: { readonly tokenizer: Tokenizer; readonly template: ChatTemplate },
): Joined {
  const special = tokenizer.specialTokens.find((token) => choices.some((choice) => choice.includes(token)))
  if (special !== undefined) throw new SpoutError('usage', `choices: ${special} is a special token`)
  const chat = renderPrompt(request, tokenizer, template)
  const before = chat.text + answerPrefix(template, request.templateArgs)
  const joined = choices.map((choice) => encodeChat(tokenizer, { ...chat, text: before + choice }))
  return { prompt: encodeChat(tokenizer, chat), joined }
}

/** What a template writes between the opening of an answer and the answer: a blank, an empty block of reasoning. */
const prefixes = new WeakMap<ChatTemplate, Map<string, string>>()

function answerPrefix(template: ChatTemplate, args: Readonly<Record<string, unknown>>): string {
  const known = prefixes.get(template) ?? new Map<string, string>()
  prefixes.set(template, known)
  const key = JSON.stringify(args)
  let prefix = known.get(key)
  if (prefix === undefined) {
    prefix = findAnswerPrefix(template, args)
    known.set(key, prefix)
  }
  return prefix
}

/** By an answer that no template has of itself; a template that refuses it, or opens answers otherwise, writes none. */
function findAnswerPrefix(template: ChatTemplate, args: Readonly<Record<string, unknown>>): string {
  const question = [{ role: 'user', content: 'Q' }]
  try {
    const opened = template.render(question, { args })
    const answered = template.render([...question, { role: 'assistant', content: PROBE }], {
      args,
      addGenerationPrompt: false,
    })
    const at = answered.indexOf(PROBE)
    return at > opened.length && answered.startsWith(opened) ? answered.slice(opened.length, at) : ''
  } catch {
    return ''
  }
}

const PROBE = 'Answer-to-Q'
