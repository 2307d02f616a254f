/**
 * Byte-level vocabularies write a byte as a character: printable Latin-1 stands for itself, the other 68 bytes are
 * moved to U+0100 and up in order (so a space is Ġ, a line feed Ċ). The table is that of GPT-2.
 */

/** The character of each byte. */
export const CHAR_OF_BYTE: readonly string[] = makeCharOfByte()

/** The byte of each character code below 0x144; -1 where there is none. */
export const BYTE_OF_CHAR: Int16Array = makeByteOfChar()

function makeCharOfByte(): string[] {
  let moved = 0x100
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
    return String.fromCharCode(printable ? byte : moved++)
  })
}

function makeByteOfChar(): Int16Array {
  const table = new Int16Array(0x144).fill(-1)
  CHAR_OF_BYTE.forEach((char, byte) => {
    table[char.charCodeAt(0)] = byte
  })
  return table
}

const utf8 = new TextEncoder()

/** A text as a byte-level vocabulary writes it: one character for each of its UTF-8 bytes. */
export function toByteLevel(text: string): string {
  let written = ''
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x80) return written + bytesToByteLevel(utf8.encode(text.slice(i)))
    written += CHAR_OF_BYTE[code]
  }
  return written
}

function bytesToByteLevel(bytes: Uint8Array): string {
  let written = ''
  for (const byte of bytes) written += CHAR_OF_BYTE[byte]
  return written
}

/** The bytes that a token stands for; `undefined` when it holds another character. */
export function fromByteLevel(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length)
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF_CHAR[token.charCodeAt(i)]
    if (byte === undefined || byte < 0) return undefined
    bytes[i] = byte
  }
  return bytes
}
