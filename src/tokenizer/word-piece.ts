/** WordPiece: the longest token that begins a word, then the longest that goes on, and so to its end (Wu et al., 2016). */
import type { EncodeWord } from './bpe.ts'
import { countField, invalid, type ModelJson, textField } from './tokenizer-json.ts'
import { idOf } from './vocabulary.ts'

export function createWordPiece({ vocab, raw }: ModelJson): EncodeWord {
  const prefix = textField(raw, 'model.continuing_subword_prefix', '##')
  const longest = countField(raw, 'model.max_input_chars_per_word', 100)
  const unknown = idOf(vocab, textField(raw, 'model.unk_token', ''))
  if (unknown === undefined) throw invalid('model.unk_token', 'is not in the vocabulary')

  /** The ids of a word's characters; `undefined` when some of them are in no token. */
  function cut(chars: readonly string[]): number[] | undefined {
    const ids: number[] = []
    for (let start = 0; start < chars.length; ) {
      const lead = start > 0 ? prefix : ''
      let end = chars.length
      while (end > start && idOf(vocab, lead + chars.slice(start, end).join('')) === undefined) end--
      if (end === start) return undefined
      ids.push(idOf(vocab, lead + chars.slice(start, end).join(''))!)
      start = end
    }
    return ids
  }

  return (word, ids) => {
    const chars = Array.from(word)
    const found = chars.length > longest ? undefined : cut(chars)
    for (const id of found ?? [unknown]) ids.push(id)
  }
}
