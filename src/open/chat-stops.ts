/**
 * What ends an answer of a chat. Some models name only the base model's end in generation_config.json, while their template ends
 * a turn with the tokenizer's `eos_token`: without it they would talk to themselves until the context is full. So both end it.
 */
import type { ChatTemplate } from '../chat-template/chat-template.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'

interface ChatStops {
  /** `undefined` without a template. */
  readonly ids: ReadonlySet<number> | undefined
  readonly notes: readonly { readonly text: string; readonly level: 'info' | 'warning' }[]
}

interface Stopping {
  readonly tokenizer: Tokenizer
  readonly stopTokenIds: ReadonlySet<number>
  readonly vocabSize: number
}

export function chatStopsOf(
  template: ChatTemplate | undefined,
  { tokenizer, stopTokenIds, vocabSize }: Stopping,
): ChatStops {
  if (template === undefined) return { ids: undefined, notes: [] }
  const { eosToken } = template
  const id = eosToken === undefined ? undefined : tokenizer.tokenToId(eosToken)
  if (id !== undefined && id < vocabSize && !stopTokenIds.has(id)) {
    const text = `${eosToken} ends an answer too: tokenizer_config.json names it, generation_config.json does not`
    return { ids: new Set([...stopTokenIds, id]), notes: [{ text, level: 'info' }] }
  }
  if (stopTokenIds.size > 0) return { ids: stopTokenIds, notes: [] }
  const text = 'the model names no token that ends an answer: it goes on until -n or the context ends it'
  return { ids: stopTokenIds, notes: [{ text, level: 'warning' }] }
}
