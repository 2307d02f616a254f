/** The words inside `{{ … }}` and `{% … %}`. */
import { unescapeText } from './string-literal.ts'
import { TemplateError } from './template-error.ts'
import { WHITE_SPACE } from './white-space.ts'

export type Token =
  | { readonly kind: 'data'; readonly text: string; readonly line: number }
  | { readonly kind: 'begin' | 'end'; readonly text: 'output' | 'block'; readonly line: number }
  | { readonly kind: 'name' | 'operator' | 'string'; readonly text: string; readonly line: number }
  | { readonly kind: 'number'; readonly text: string; readonly value: bigint | number; readonly line: number }

const SPACE = new RegExp(`${WHITE_SPACE}+`, 'uy')
const FLOAT = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy
const NAME = /[\p{ID_Start}_][\p{ID_Continue}]*/uy
const STRING = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}<>=.:|,;]/y

/** The token at a place of the source; `undefined` for white space. @param line of the place. */
export function readToken(source: string, at: number, line: number): { token?: Token; end: number } {
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(source)?.[0]
  }
  const make = (kind: 'name' | 'operator', text: string) => ({
    token: { kind, text, line },
    end: at + text.length,
  })
  const space = match(SPACE)
  if (space !== undefined) return { end: at + space.length }
  const number = match(FLOAT) ?? match(INTEGER)
  if (number !== undefined)
    return { token: { kind: 'number', text: number, value: numberOf(number), line }, end: at + number.length }
  const name = match(NAME)
  if (name !== undefined) return make('name', name)
  const string = match(STRING)
  if (string !== undefined) {
    const text = unescapeText(string.slice(1, -1))
    return { token: { kind: 'string', text, line }, end: at + string.length }
  }
  const operator = match(OPERATOR)
  if (operator !== undefined) return make('operator', operator)
  const char = String.fromCodePoint(source.codePointAt(at)!)
  throw new TemplateError(`unexpected ${JSON.stringify(char)}, line ${line}`)
}

function numberOf(text: string): bigint | number {
  const digits = text.replaceAll('_', '').toLowerCase()
  return /^0[box]/.test(digits) || !/[.e]/.test(digits) ? BigInt(digits) : Number(digits)
}
