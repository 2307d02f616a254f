/**
 * Unigram language model: of all ways to cut a word into tokens, the one with the highest sum of scores (Kudo, 2018). One
 * pass over the word keeps the best way to reach each place; of equal sums the one found first stays.
 */
import type { EncodeWord } from './bpe.ts'
import { createLengths } from './token-lengths.ts'
import { invalid, isId, type ModelJson } from './tokenizer-json.ts'
import { idOf } from './vocabulary.ts'
import type { Work } from './work.ts'

/** What an unknown character costs beside the worst token, in nats. */
const UNKNOWN_PENALTY = 10

export function createUnigram({ vocab, raw }: ModelJson, work: Work): EncodeWord {
  const scores = (raw.vocab as [string, number][]).map(([, score]) => score)
  const unknownScore =
    scores.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY) - UNKNOWN_PENALTY
  const unknown = isId(raw.unk_id) ? raw.unk_id : undefined
  const lengths = createLengths(Object.keys(vocab))
  const bytes = raw.byte_fallback === true

  /** The places where the tokens of the best way begin, backwards, and whether each is known. */
  function cut(word: string): { start: number; end: number; known: boolean }[] {
    const best = new Float64Array(word.length + 1).fill(Number.NEGATIVE_INFINITY)
    const from = new Int32Array(word.length + 1).fill(-1)
    const known = new Uint8Array(word.length + 1)
    best[0] = 0
    const offer = (start: number, end: number, score: number, isKnown: number) => {
      if (from[end] !== -1 && best[start]! + score <= best[end]!) return
      best[end] = best[start]! + score
      from[end] = start
      known[end] = isKnown
    }
    for (let start = 0; start < word.length; ) {
      const width = word.codePointAt(start)! > 0xffff ? 2 : 1
      let single = false
      for (const length of lengths(word, start)) {
        if (start + length > word.length) break
        work.spend(length)
        const id = idOf(vocab, word.slice(start, start + length))
        if (id === undefined) continue
        offer(start, start + length, scores[id]!, id === unknown ? 0 : 1)
        single ||= length === width
      }
      if (!single) offer(start, start + width, unknownScore, 0)
      start += width
    }
    const spans = []
    for (let end = word.length; end > 0; end = from[end]!)
      spans.push({ start: from[end]!, end, known: known[end] === 1 })
    return spans.reverse()
  }

  function pushUnknown(text: string, ids: number[]): void {
    const codes = bytes ? byteIds(text, vocab) : undefined
    if (codes !== undefined) ids.push(...codes)
    else if (unknown === undefined)
      throw invalid('model.unk_id', 'is missing, and the text has an unknown character')
    else ids.push(unknown)
  }

  return (word, ids) => {
    let run = ''
    for (const { start, end, known } of cut(word)) {
      if (!known) {
        run += word.slice(start, end)
        continue
      }
      if (run !== '') pushUnknown(run, ids)
      run = ''
      ids.push(idOf(vocab, word.slice(start, end))!)
    }
    if (run !== '') pushUnknown(run, ids)
  }
}

function byteIds(text: string, vocab: ModelJson['vocab']): number[] | undefined {
  const ids: number[] = []
  for (const byte of new TextEncoder().encode(text)) {
    const id = idOf(vocab, `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
    if (id === undefined) return undefined
    ids.push(id)
  }
  return ids
}
