/**
 * Byte-level vocabularies write a byte as a character: printable Latin-1 stands for itself, the other 68 bytes are
 * moved to U+0100 and up in order (so a space is Ġ, a line feed Ċ). The table is that of GPT-2.
 */
import { textOfUnits } from './bpe-tables.ts'

/** The code unit of each byte. */
const CODE_OF_BYTE: Uint16Array = makeCodeOfByte()

/** The byte of each code unit below 0x144; -1 where there is none. */
const BYTE_OF_CODE: Int16Array = makeByteOfCode()

function makeCodeOfByte(): Uint16Array {
  let moved = 0x100
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
    return printable ? byte : moved++
  })
}

function makeByteOfCode(): Int16Array {
  const table = new Int16Array(0x144).fill(-1)
  CODE_OF_BYTE.forEach((code, byte) => {
    table[code] = byte
  })
  return table
}

const utf8 = new TextEncoder()

/** A text as a byte-level vocabulary writes it: one character for each of its UTF-8 bytes. */
export function toByteLevel(text: string): string {
  const units = new Uint16Array(3 * text.length)
  return textOfUnits(units.subarray(0, writeByteLevel(text, units)))
}

/**
 * The same as code units.
 * @param units room for three times the length of the text.
 * @returns how many units were written.
 */
export function writeByteLevel(text: string, units: Uint16Array): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x80) return writeBytes(utf8.encode(text.slice(i)), units, i)
    units[i] = CODE_OF_BYTE[code]!
  }
  return text.length
}

function writeBytes(bytes: Uint8Array, units: Uint16Array, at: number): number {
  for (let i = 0; i < bytes.length; i++) units[at + i] = CODE_OF_BYTE[bytes[i]!]!
  return at + bytes.length
}

/** The bytes that a token stands for; `undefined` when it holds another character. */
export function fromByteLevel(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length)
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF_CODE[token.charCodeAt(i)]
    if (byte === undefined || byte < 0) return undefined
    bytes[i] = byte
  }
  return bytes
}
