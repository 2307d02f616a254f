/** What Python takes for white space: not the byte order mark, but the separators of ASCII. For patterns with the flag u. */
export const WHITE_SPACE = String.raw`[\t-\r\x1c-\x20\x85\p{Z}]`

const WIDE = /^[\p{Z}\x85]$/u

/** True of one character, or one code unit, of white space. */
export function isSpace(char: string): boolean {
  const code = char.charCodeAt(0)
  if (code < 0x80) return code === 0x20 || (code >= 9 && code <= 13) || (code >= 0x1c && code <= 0x1f)
  return WIDE.test(char)
}

export function trimStart(text: string): string {
  let start = 0
  while (start < text.length && isSpace(text[start]!)) start++
  return text.slice(start)
}

export function trimEnd(text: string): string {
  let end = text.length
  while (end > 0 && isSpace(text[end - 1]!)) end--
  return text.slice(0, end)
}
