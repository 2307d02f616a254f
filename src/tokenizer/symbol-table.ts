/** The symbols of a vocabulary while they are collected: see bpe-tables.ts for what becomes of them. */
import { type FindSymbol, hashUnits, makeFindSymbol, placeOf } from './bpe-tables.ts'
import { Numbers } from './numbers.ts'

/** The rows of `SymbolRows` as they were made. */
export interface SymbolArrays {
  readonly units: Uint16Array
  readonly starts: Int32Array
  readonly slots: Int32Array
}

export class SymbolTable {
  readonly seed: number
  #units = new Uint16Array(1 << 10)
  #starts: Int32Array
  #slots: Int32Array
  #count = 0
  #find: FindSymbol

  /** @param expected symbols; more may come. */
  constructor(seed: number, expected: number) {
    this.seed = seed
    this.#starts = new Int32Array(expected + 1)
    this.#slots = new Int32Array(slotsFor(expected))
    this.#find = this.#finder()
  }

  get count(): number {
    return this.#count
  }

  /** @returns the symbol of exactly these units, -1 if none. */
  find(units: Uint16Array, start: number, end: number): number {
    return this.#find(units, start, end)
  }

  /** Appends the symbol of an id that no token has. */
  addHole(): void {
    const place = this.#starts[this.#count]!
    this.#makeRoom(this.#count + 1, place)
    this.#starts[this.#count++] = ~place
    this.#starts[this.#count] = place
  }

  /** Appends the symbol of units that are not in the table, and returns it. */
  add(units: Uint16Array, start: number, end: number): number {
    const symbol = this.#count
    const place = this.#starts[symbol]!
    const placeAfter = place + end - start
    this.#makeRoom(symbol + 1, placeAfter)
    this.#units.set(units.subarray(start, end), place)
    this.#starts[++this.#count] = placeAfter
    this.#fill(symbol)
    return symbol
  }

  /** The arrays, no longer than they need be. */
  finish(): SymbolArrays {
    const starts = this.#starts.slice(0, this.#count + 1)
    return { starts, units: this.#units.slice(0, starts[this.#count]!), slots: this.#slots }
  }

  #finder(): FindSymbol {
    return makeFindSymbol({
      seed: this.seed,
      units: Numbers.of(this.#units),
      starts: Numbers.of(this.#starts),
      slots: Numbers.of(this.#slots),
    })
  }

  #makeRoom(symbols: number, units: number): void {
    const slots = slotsFor(symbols)
    const enough = slots <= this.#slots.length && symbols < this.#starts.length && units <= this.#units.length
    if (enough) return
    this.#starts = roomFor(this.#starts, symbols + 1)
    this.#units = roomFor(this.#units, units)
    if (slots > this.#slots.length) this.#rehash(slots)
    this.#find = this.#finder()
  }

  #rehash(slots: number): void {
    this.#slots = new Int32Array(slots)
    for (let symbol = 0; symbol < this.#count; symbol++) if (this.#starts[symbol]! >= 0) this.#fill(symbol)
  }

  #fill(symbol: number): void {
    const mask = this.#slots.length - 1
    const range = { start: this.#starts[symbol]!, end: placeOf(this.#starts[symbol + 1]!) }
    let slot = hashUnits(this.seed, this.#units, range) & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = symbol + 1
  }
}

/** The same array, or a larger one with the same beginning. */
export function roomFor<T extends Uint16Array | Int32Array>(array: T, length: number): T {
  if (length <= array.length) return array
  const larger = new (array.constructor as new (length: number) => T)(Math.max(length, 2 * array.length))
  larger.set(array)
  return larger
}

/** Slots for so many entries: a power of two that leaves at least a third free. */
function slotsFor(entries: number): number {
  let slots = 2
  while (slots * 2 < entries * 3) slots *= 2
  return slots
}
