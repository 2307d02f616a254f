/** A request is plain data. Flags, a chat turn, a JSONL line and a socket frame all become it, through `makeRequest`. */

import type { ChatMessage } from '../chat-template/chat-template.ts'
import { SpoutError } from '../errors.ts'
import { resolveSampling, type SamplingOptions } from '../sampling/sampling-params.ts'
import { type StructureInput, type StructureRequest, structureRequest } from './structure-request.ts'

export interface GenerateRequest {
  /** A conversation for the chat template; its last turn is the user's. */
  readonly messages: readonly ChatMessage[]
  /** The same as plain text, for models without a template and for `raw`. */
  readonly text: string
  /** Complete the text even if the model has a chat template. */
  readonly raw: boolean
  /** Special-token text inside the prompt becomes special tokens. */
  readonly allowSpecial: boolean
  /** 0 = until a stop id or the context is full; `undefined` = 0 with a chat template, `DEFAULT_RAW_TOKENS` without. */
  readonly maxTokens: number | undefined
  /** Looked for in the answer; with `stopInReasoning`, in what a chat model thinks before it as well. */
  readonly stopStrings: readonly string[]
  readonly stopInReasoning: boolean
  readonly ignoreEos: boolean
  /** What the user set; the model's own settings lie under it. */
  readonly sampling: SamplingOptions
  /** More variables for the chat template. */
  readonly templateArgs: Readonly<Record<string, unknown>>
  /** What the answer must satisfy. */
  readonly structure?: StructureRequest | undefined
  /**
   * Guesses of a step: as many as pay, so many, or none. `auto` guesses only where that changes no bit. Default
   * `off`; with `expect` `auto`: prose has been seen to come later with guesses, an edit sooner. */
  readonly drafts?: 'auto' | 'off' | number | undefined
  /** The text that the answer will mostly be, as of an edit. It costs or saves time, and changes no answer. */
  readonly expect?: string | undefined
}

export interface RequestInput extends Partial<Omit<GenerateRequest, 'messages' | 'text' | 'structure'>> {
  readonly prompt: string
  readonly system?: string | undefined
  /** The turns before this one: `user` and `assistant`, without the system message. */
  readonly history?: readonly ChatMessage[] | undefined
  readonly structure?: StructureInput | undefined
}

/** A completion without an end of its own stops here unless told otherwise. */
export const DEFAULT_RAW_TOKENS = 512

/**
 * The one validator.
 * @throws SpoutError `data` for an empty prompt, `usage` for values out of range. Whether a structure can be used is found
 * out when it is opened.
 */
export function makeRequest({ prompt, system, history = [], ...rest }: RequestInput): GenerateRequest {
  if (prompt.trim() === '') {
    throw new SpoutError('data', 'prompt: it is empty', { hint: 'spout "your prompt", or pipe a text in' })
  }
  const messages = [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    ...history,
    { role: 'user', content: prompt },
  ]
  return makeChatRequest(messages, rest)
}

/** A conversation whose last turn need not be the user's: it may be what a tool said. @throws as `makeRequest` does. */
export function makeChatRequest(
  messages: readonly ChatMessage[],
  rest: Omit<RequestInput, 'prompt' | 'system' | 'history'> = {},
): GenerateRequest {
  const { maxTokens, stopStrings = [], sampling = {} } = rest
  if (maxTokens !== undefined && !(Number.isSafeInteger(maxTokens) && maxTokens >= 0)) {
    throw new SpoutError('usage', `max-tokens: ${maxTokens} is not a whole number from 0`)
  }
  if (stopStrings.includes('')) throw new SpoutError('usage', 'stop: a stop string must not be empty')
  resolveSampling(sampling)
  const structure = rest.structure && structureRequest(rest.structure)
  if (structure !== undefined) checkWithStructure(rest)
  return {
    messages,
    text: plainText(messages),
    raw: rest.raw ?? false,
    allowSpecial: rest.allowSpecial ?? false,
    maxTokens,
    stopStrings,
    stopInReasoning: rest.stopInReasoning ?? false,
    ignoreEos: rest.ignoreEos ?? false,
    sampling,
    templateArgs: rest.templateArgs ?? {},
    ...(structure && { structure }),
    ...(rest.drafts !== undefined && { drafts: checkDrafts(rest.drafts) }),
    ...(rest.expect !== undefined && { expect: rest.expect }),
  }
}

/** Most guesses of one step that may be asked for. */
export const MOST_DRAFTS = 15

function checkDrafts(drafts: NonNullable<GenerateRequest['drafts']>): NonNullable<GenerateRequest['drafts']> {
  const isCount = Number.isInteger(drafts) && (drafts as number) >= 1 && (drafts as number) <= MOST_DRAFTS
  if (drafts === 'auto' || drafts === 'off' || isCount) return drafts
  throw new SpoutError(
    'usage',
    `drafts: ${drafts} is not auto, off or a whole number from 1 to ${MOST_DRAFTS}`,
  )
}

/** A structure says itself where it ends. */
function checkWithStructure({
  ignoreEos,
  stopStrings = [],
}: Pick<RequestInput, 'ignoreEos' | 'stopStrings'>): void {
  const other = ignoreEos ? 'ignore-eos' : stopStrings.length > 0 ? 'stop' : undefined
  if (other !== undefined)
    throw new SpoutError('usage', `${other}: a structure says itself where it ends`, {
      hint: `leave out --${other}`,
    })
}

/** The same request with another last message. */
export function withLastMessage(request: GenerateRequest, content: string): GenerateRequest {
  const messages = request.messages.with(-1, { ...request.messages.at(-1)!, content })
  return { ...request, messages, text: plainText(messages) }
}

/** An answer goes on where the text before it ended; everything else is a paragraph of its own. */
function plainText(messages: readonly ChatMessage[]): string {
  return messages
    .map(({ role, content }, i) =>
      i === 0 || role === 'assistant' ? `${content ?? ''}` : `\n\n${content ?? ''}`,
    )
    .join('')
}
