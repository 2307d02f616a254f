/** Upper and lower case as Python's texts have it. */

/** Digraphs that have a third case for the beginning of a word. */
const TITLE: Readonly<Record<string, string>> = {
  Ǆ: 'ǅ',
  ǅ: 'ǅ',
  ǆ: 'ǅ',
  Ǉ: 'ǈ',
  ǈ: 'ǈ',
  ǉ: 'ǈ',
  Ǌ: 'ǋ',
  ǋ: 'ǋ',
  ǌ: 'ǋ',
  Ǳ: 'ǲ',
  ǲ: 'ǲ',
  ǳ: 'ǲ',
}

function titleOf(char: string): string {
  const upper = Array.from(TITLE[char] ?? char.toUpperCase())
  return upper[0]! + upper.slice(1).join('').toLowerCase()
}

export function capitalize(text: string): string {
  const first = text === '' ? '' : String.fromCodePoint(text.codePointAt(0)!)
  return first === '' ? '' : titleOf(first) + text.slice(first.length).toLowerCase()
}

/** `str.title`: a word begins behind what has no case. */
export function titleWords(text: string): string {
  return text.replace(/\p{Cased}[\p{Cased}]*/gu, (word) => capitalize(word))
}

/** The filter `title`: a word begins behind white space and some punctuation. */
export function titleFilter(text: string): string {
  return text
    .split(/([-\s({[<]+)/)
    .filter((part) => part !== '')
    .map((part) => {
      const first = String.fromCodePoint(part.codePointAt(0)!)
      return first.toUpperCase() + part.slice(first.length).toLowerCase()
    })
    .join('')
}

export function swapCase(text: string): string {
  return text.replace(/\p{Cased}/gu, (char) =>
    char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase(),
  )
}

/** True of a text with letters of the one case, and none of another. */
export function isLower(text: string): boolean {
  return /\p{Lowercase}/u.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text)
}

export function isUpper(text: string): boolean {
  return /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text)
}
