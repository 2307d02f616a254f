import { encodeChat, renderChat } from '../tokenizer/chat.ts'
import type { ChatTemplate } from '../tokenizer/chat-template.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { GenerateRequest } from './request.ts'

export interface EncodedPrompt {
  readonly ids: Int32Array
  /** What the chat template wrote; `undefined` when the prompt is plain text. */
  readonly rendered: string | undefined
}

/** The ids of a request: its messages through the template, or its text where there is none or `raw` asks for that. */
export function encodePrompt(
  request: GenerateRequest,
  tokenizer: Tokenizer,
  template: ChatTemplate | undefined,
): EncodedPrompt {
  const { allowSpecial, messages, templateArgs, raw, text } = request
  if (raw || template === undefined) {
    return { ids: tokenizer.encode(text, { allowSpecial }), rendered: undefined }
  }
  const chat = renderChat({ template, tokenizer }, messages, { allowSpecial, args: templateArgs })
  return { ids: encodeChat(tokenizer, chat), rendered: chat.text }
}
