/** The symbols of a BPE model while they are collected, and the rows they become: see bpe-tables.ts. */
import { hashUnits, placeOf } from './bpe-tables.ts'
import type { ModelJson } from './tokenizer-json.ts'
import { idOf } from './vocabulary.ts'

/** The rows of `SymbolRows` and the ids as they were made. */
export interface SymbolArrays {
  readonly units: Uint16Array
  readonly starts: Int32Array
  readonly slots: Int32Array
  readonly extraIds: Int32Array
}

export class Symbols {
  readonly #model: ModelJson
  /** Symbols that are no ids, by their text. */
  readonly #extra = new Map<string, number>()

  constructor(model: ModelJson) {
    this.#model = model
    for (const token of model.displaced) this.#extra.set(token, this.count)
  }

  get count(): number {
    return this.#model.tokens.length + this.#extra.size
  }

  /** The symbol of a text, which becomes one if it is none yet. */
  of(text: string): number {
    const known = this.#extra.get(text) ?? idOf(this.#model.vocab, text)
    if (known !== undefined) return known
    const symbol = this.count
    this.#extra.set(text, symbol)
    return symbol
  }

  /** @param seed of the hashes. */
  finish(seed: number): SymbolArrays {
    const { tokens, vocab } = this.#model
    const extra = [...this.#extra.keys()]
    const texts = extra.length === 0 ? tokens : tokens.concat(extra)
    const starts = placesOf(texts)
    const units = new Uint16Array(starts[texts.length]!)
    // In native code: a loop over a million code units is slow until it is compiled.
    Buffer.from(units.buffer).write(texts.join(''), 'utf16le')
    const slots = fillSlots({ units, starts, seed })
    return { units, starts, slots, extraIds: Int32Array.from(extra, (text) => idOf(vocab, text) ?? -1) }
  }
}

function placesOf(texts: readonly (string | undefined)[]): Int32Array {
  const starts = new Int32Array(texts.length + 1)
  let place = 0
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i]
    starts[i] = text === undefined ? ~place : place
    place += text?.length ?? 0
  }
  starts[texts.length] = place
  return starts
}

interface Filling extends Pick<SymbolArrays, 'units' | 'starts'> {
  readonly seed: number
}

function fillSlots({ units, starts, seed }: Filling): Int32Array {
  const slots = new Int32Array(slotsFor(starts.length))
  const mask = slots.length - 1
  for (let symbol = 0; symbol + 1 < starts.length; symbol++) {
    const start = starts[symbol]!
    if (start < 0) continue
    let slot = hashUnits(seed, units, { start, end: placeOf(starts[symbol + 1]!) }) & mask
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = symbol + 1
  }
  return slots
}

/** Slots for so many entries: a power of two that leaves at least a third free. */
function slotsFor(entries: number): number {
  let slots = 2
  while (slots * 2 < entries * 3) slots *= 2
  return slots
}
