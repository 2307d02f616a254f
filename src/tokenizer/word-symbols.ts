/** A word's first symbols: characters of the vocabulary, else their bytes, else the unknown token, else nothing. */
import type { BpeRules } from './bpe-model.ts'
import { type FindSymbol, roomFor, textOfUnits, unitsOf, writeUnits } from './bpe-tables.ts'
import { writeByteLevel } from './byte-level.ts'

interface WordSymbolsOptions {
  readonly rules: BpeRules
  readonly findToken: FindSymbol
  /** Words come as text and are written in the byte-level alphabet here. */
  readonly byteLevel: boolean
}

const utf8 = new TextEncoder()

/** Reads one word after the other into the same memory. */
export class WordSymbols {
  /** Of the word that was read last. */
  symbols = new Int32Array(64)
  count = 0
  readonly #rules: BpeRules
  readonly #findToken: FindSymbol
  readonly #byteLevel: boolean
  readonly #isPlain: boolean
  readonly #unknown: number
  /** Of each byte, as byte fallback writes it, once some character needed it. */
  #byteSymbols: readonly number[] | undefined
  /** Symbol + 2 of a character that is one code unit; 0 where nobody has looked. Memory that is not touched is not there. */
  readonly #known = new Int32Array(0x10000)
  #units = new Uint16Array(64)
  #length = 0

  constructor({ rules, findToken, byteLevel }: WordSymbolsOptions) {
    this.#rules = rules
    this.#findToken = findToken
    this.#byteLevel = byteLevel
    this.#isPlain = rules.prefix === '' && rules.suffix === ''
    this.#unknown = rules.unknown === undefined ? -1 : this.#find(rules.unknown)
  }

  read(word: string): void {
    this.#units = roomFor(this.#units, (this.#byteLevel ? 3 : 1) * word.length)
    this.#length = this.#byteLevel ? writeByteLevel(word, this.#units) : writeUnits(word, this.#units, 0)
    this.count = 0
    if (!(this.#rules.wholeWords && this.#readWhole())) this.#readCharacters()
  }

  #readWhole(): boolean {
    const symbol = this.#findToken(this.#units, 0, this.#length)
    if (symbol !== -1) this.#push(symbol)
    return symbol !== -1
  }

  #readCharacters(): void {
    let afterUnknown = false
    for (let at = 0, end = 0; at < this.#length; at = end) {
      end = at + this.#widthAt(at)
      const symbol = this.#symbolOf(at, end)
      const isKnown = symbol !== -1 || this.#pushBytes(at, end)
      if (symbol !== -1) this.#push(symbol)
      else if (!isKnown && !(afterUnknown && this.#rules.fuseUnknown) && this.#unknown !== -1)
        this.#push(this.#unknown)
      afterUnknown = !isKnown
    }
  }

  #widthAt(at: number): number {
    const isPair =
      (this.#units[at]! & 0xfc00) === 0xd800 &&
      at + 1 < this.#length &&
      (this.#units[at + 1]! & 0xfc00) === 0xdc00
    return isPair ? 2 : 1
  }

  #symbolOf(at: number, end: number): number {
    if (!this.#isPlain) return this.#find(this.#written(at, end))
    if (end - at > 1) return this.#findToken(this.#units, at, end)
    const unit = this.#units[at]!
    const known = this.#known[unit]!
    if (known !== 0) return known - 2
    const symbol = this.#findToken(this.#units, at, end)
    this.#known[unit] = symbol + 2
    return symbol
  }

  /** A character with what belongs before and after it. */
  #written(at: number, end: number): string {
    const { prefix, suffix } = this.#rules
    const char = textOfUnits(this.#units.subarray(at, end))
    return (at > 0 ? prefix : '') + char + (end === this.#length ? suffix : '')
  }

  /** All bytes of a character, or none. */
  #pushBytes(at: number, end: number): boolean {
    if (!this.#rules.byteFallback) return false
    this.#byteSymbols ??= Array.from({ length: 256 }, (_, byte) => this.#find(byteToken(byte)))
    const bytes = utf8.encode(this.#written(at, end))
    for (const byte of bytes) if (this.#byteSymbols[byte] === -1) return false
    for (const byte of bytes) this.#push(this.#byteSymbols[byte]!)
    return true
  }

  #push(symbol: number): void {
    this.symbols = roomFor(this.symbols, this.count + 1)
    this.symbols[this.count++] = symbol
  }

  #find(text: string): number {
    return this.#findToken(unitsOf(text), 0, text.length)
  }
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
}
