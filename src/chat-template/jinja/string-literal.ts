/** String literals of a template: the escapes of Python, of which an unknown one stands for itself. */
import { TemplateError } from './template-error.ts'

const ESCAPE = /\\(?:\n|([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([\s\S]))/gu

const SHORT: Readonly<Record<string, string>> = {
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

export function unescapeText(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(ESCAPE, (all, octal?: string, x?: string, u?: string, long?: string, char?: string) => {
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8))
    const hex = x ?? u ?? long
    if (hex !== undefined) return characterOf(Number.parseInt(hex, 16))
    if (char === undefined) return ''
    if ('xuUN'.includes(char)) throw new TemplateError(`a text has a wrong escape \\${char}`)
    return SHORT[char] ?? all
  })
}

function characterOf(code: number): string {
  if (code > 0x10ffff) throw new TemplateError('a text has an escape beyond the last character')
  return String.fromCodePoint(code)
}
