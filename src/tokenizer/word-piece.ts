/** WordPiece: the longest token that begins a word, then the longest that goes on, and so to its end (Wu et al., 2016). */
import type { EncodeWord } from './bpe.ts'
import { createLengths } from './token-lengths.ts'
import { countField, invalid, type ModelJson, textField } from './tokenizer-json.ts'
import { idOf } from './vocabulary.ts'
import type { Work } from './work.ts'

export function createWordPiece({ vocab, raw }: ModelJson, work: Work): EncodeWord {
  const prefix = textField(raw, 'model.continuing_subword_prefix', '##')
  const longest = countField(raw, 'model.max_input_chars_per_word', 100)
  const unknown = idOf(vocab, textField(raw, 'model.unk_token', ''))
  if (unknown === undefined) throw invalid('model.unk_token', 'is not in the vocabulary')
  const tokens = Object.keys(vocab)
  const opening = createLengths(tokens)
  const inner = createLengths(
    tokens.filter((token) => token.startsWith(prefix)).map((token) => token.slice(prefix.length)),
  )

  /** The longest token at a place of a word: its id, and where it ends. */
  function longestAt(word: string, start: number): { id: number; end: number } | undefined {
    const [lead, lengths] = start === 0 ? ['', opening(word, 0)] : [prefix, inner(word, start)]
    for (let i = lengths.length - 1; i >= 0; i--) {
      const end = start + lengths[i]!
      if (end > word.length || end === start) continue
      work.spend(lead.length + lengths[i]!)
      const id = idOf(vocab, lead + word.slice(start, end))
      if (id !== undefined) return { id, end }
    }
    return undefined
  }

  /** The ids of a word; `undefined` when some of its characters are in no token. */
  function cut(word: string): number[] | undefined {
    const ids: number[] = []
    for (let start = 0; start < word.length; ) {
      const found = longestAt(word, start)
      if (found === undefined) return undefined
      ids.push(found.id)
      start = found.end
    }
    return ids
  }

  return (word, ids) => {
    const isLong = word.length > longest && Array.from(word).length > longest
    const found = isLong ? undefined : cut(word)
    for (const id of found ?? [unknown]) ids.push(id)
  }
}
