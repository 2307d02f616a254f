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

interface Unigram {
  readonly vocab: ModelJson['vocab']
  /** By id, in nats. */
  readonly scores: readonly number[]
  readonly unknownScore: number
  readonly unknown: number | undefined
  readonly lengths: ReturnType<typeof createLengths>
  readonly hasByteFallback: boolean
  readonly work: Work
}

export function createUnigram({ vocab, raw }: ModelJson, work: Work): EncodeWord {
  const scores = (raw.vocab as [string, number][]).map(([, score]) => score)
  const model: Unigram = {
    vocab,
    scores,
    unknownScore:
      scores.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY) - UNKNOWN_PENALTY,
    unknown: isId(raw.unk_id) ? raw.unk_id : undefined,
    lengths: createLengths(Object.keys(vocab)),
    hasByteFallback: raw.byte_fallback === true,
    work,
  }
  return (word, ids) => {
    let run = ''
    for (const { start, end, known } of bestSpans(model, word)) {
      if (!known) {
        run += word.slice(start, end)
        continue
      }
      if (run !== '') pushUnknown(model, run, ids)
      run = ''
      ids.push(idOf(vocab, word.slice(start, end))!)
    }
    if (run !== '') pushUnknown(model, run, ids)
  }
}

interface Span {
  readonly start: number
  readonly end: number
  readonly known: boolean
}

/** The tokens of the best way, from the first to the last (Viterbi). */
function bestSpans({ vocab, scores, unknownScore, unknown, lengths, work }: Unigram, word: string): Span[] {
  const ways = new Ways(word.length)
  for (let start = 0; start < word.length; ) {
    const width = word.codePointAt(start)! > 0xffff ? 2 : 1
    let single = false
    for (const length of lengths(word, start)) {
      if (start + length > word.length) break
      work.spend(length)
      const id = idOf(vocab, word.slice(start, start + length))
      if (id === undefined) continue
      ways.offer(start, start + length, scores[id]!, id === unknown ? 0 : 1)
      single ||= length === width
    }
    if (!single) ways.offer(start, start + width, unknownScore, 0)
    start += width
  }
  return ways.spans()
}

/** The best way to reach each place of a word. */
class Ways {
  readonly #best: Float64Array
  /** Where its last token begins; -1: no way leads here. */
  readonly #from: Int32Array
  readonly #known: Uint8Array

  constructor(length: number) {
    this.#best = new Float64Array(length + 1).fill(Number.NEGATIVE_INFINITY)
    this.#from = new Int32Array(length + 1).fill(-1)
    this.#known = new Uint8Array(length + 1)
    this.#best[0] = 0
  }

  /** A token from `start` to `end`: taken if the way over it is the first, or better. */
  offer(start: number, end: number, score: number, isKnown: 0 | 1): void {
    const sum = this.#best[start]! + score
    if (this.#from[end] !== -1 && sum <= this.#best[end]!) return
    this.#best[end] = sum
    this.#from[end] = start
    this.#known[end] = isKnown
  }

  spans(): Span[] {
    const spans: Span[] = []
    for (let end = this.#from.length - 1; end > 0; end = this.#from[end]!)
      spans.push({ start: this.#from[end]!, end, known: this.#known[end] === 1 })
    return spans.reverse()
  }
}

function pushUnknown({ vocab, unknown, hasByteFallback }: Unigram, text: string, ids: number[]): void {
  const codes = hasByteFallback ? byteIds(text, vocab) : undefined
  if (codes !== undefined) ids.push(...codes)
  else if (unknown === undefined)
    throw invalid('model.unk_id', 'is missing, and the text has an unknown character')
  else ids.push(unknown)
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
