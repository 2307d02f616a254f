import { encodeChat, renderChat } from '../chat-template/chat.ts'
import type { ChatTemplate } from '../chat-template/chat-template.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import { type GenerateRequest, withLastMessage } from './request.ts'
import { renderStructured } from './structure-prompt.ts'

export interface EncodedPrompt {
  readonly ids: Int32Array
  /** What the chat template wrote; `undefined` when the prompt is plain text. */
  readonly rendered: string | undefined
  /** What happens to it that nobody would expect. */
  readonly notes: readonly string[]
}

/** Texts that have nothing in common, and begin with what tokenizers join to what stands before it. */
export const PROBES: readonly [string, string] = ['A', '\n1']

/** The ids that a request begins with whatever its last message will be, as far as two very different ones can tell. */
export function knownIds(
  request: GenerateRequest,
  tokenizer: Tokenizer,
  template: ChatTemplate | undefined,
): Int32Array {
  return commonIds(
    PROBES.map((probe) => withLastMessage(request, probe)),
    tokenizer,
    template,
  )
}

/** The ids that all of these requests begin with. */
export function commonIds(
  requests: readonly GenerateRequest[],
  tokenizer: Tokenizer,
  template: ChatTemplate | undefined,
): Int32Array {
  const [first = new Int32Array(0), ...others] = requests.map(
    (request) => encodePrompt(request, tokenizer, template).ids,
  )
  return first.subarray(0, Math.min(first.length, ...others.map((ids) => commonLength(first, ids))))
}

/** How many ids two texts have in common, from the first on. */
export function commonLength(a: Int32Array, b: Int32Array): number {
  const most = Math.min(a.length, b.length)
  let length = 0
  while (length < most && a[length] === b[length]) length++
  return length
}

/** The ids of a request: its messages through the template, or its text where there is none or `raw` asks for that. */
export function encodePrompt(
  request: GenerateRequest,
  tokenizer: Tokenizer,
  template: ChatTemplate | undefined,
): EncodedPrompt {
  const { templateArgs, raw } = request
  if (raw || template === undefined) return encodeText(request, tokenizer)
  const chat = renderPrompt(request, tokenizer, template)
  const known = template.names()
  const unknown = Object.keys(templateArgs).filter((name) => !known.has(name))
  const notes = [
    ...unknown.map((name) => `template argument ${name}: the chat template never looks for it`),
    ...chat.notes,
  ]
  return { ids: encodeChat(tokenizer, chat), rendered: chat.text, notes }
}

/** What the chat template makes of the messages of a request. */
export function renderPrompt(
  request: GenerateRequest,
  tokenizer: Tokenizer,
  template: ChatTemplate,
): ReturnType<typeof renderChat> {
  const { allowSpecial, templateArgs: args } = request
  return renderStructured(request, (messages) =>
    renderChat({ template, tokenizer }, messages, { allowSpecial, args }),
  )
}

function encodeText(
  { text, allowSpecial, templateArgs }: GenerateRequest,
  tokenizer: Tokenizer,
): EncodedPrompt {
  const ids = tokenizer.encode(text, { allowSpecial })
  const notes = Object.keys(templateArgs).map((name) => `template argument ${name}: no chat template is used`)
  const first = tokenizer.idToToken(ids[0] ?? -1)
  // The text brings the token that the tokenizer puts before every text.
  const isTwice =
    allowSpecial && ids[0] === ids[1] && tokenizer.isSpecial(ids[0] ?? -1) && text.startsWith(first!)
  if (!isTwice || tokenizer.encode(text, { allowSpecial, addSpecialTokens: false })[1] === ids[0])
    return { ids, rendered: undefined, notes }
  return {
    ids: ids.subarray(1),
    rendered: undefined,
    notes: [...notes, `the prompt begins with ${first} itself: it is not written twice`],
  }
}
