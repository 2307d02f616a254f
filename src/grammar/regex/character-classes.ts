/** The character classes of ECMAScript. */
import { type CodePoints, complement, normalize, pairs } from './code-points.ts'

export const DIGIT: CodePoints = [0x30, 0x39]
export const WORD: CodePoints = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a]
export const SPACE: CodePoints = normalize([
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
])
export const NOT_LINE_END: CodePoints = complement([0x0a, 0x0a, 0x0d, 0x0d, 0x2028, 0x2029])

const known = new Map<string, CodePoints | undefined>()
let everything: string | undefined

/** The code points of `\p{name}`: `undefined` for a property that does not exist. */
export function propertySet(name: string): CodePoints | undefined {
  if (!known.has(name)) known.set(name, findProperty(name))
  return known.get(name)
}

/** Asks the engine, in one pass over all characters: runs of those that have it are runs of code points. */
function findProperty(name: string): CodePoints | undefined {
  if (!/^[A-Za-z_]+(=[A-Za-z0-9_]+)?$/.test(name)) return undefined
  let runs: RegExp
  try {
    runs = new RegExp(`\\p{${name}}+`, 'gu')
  } catch {
    return undefined
  }
  everything ??= allCharacters()
  const ranges = Array.from(everything.matchAll(runs), ([run]): [number, number] => {
    const from = run.codePointAt(0)!
    const last = run.codePointAt(run.length - 2)!
    return [from, last > 0xffff ? last : run.charCodeAt(run.length - 1)]
  })
  // A run across the surrogates, which are not there, is two.
  return normalize(ranges)
}

function allCharacters(): string {
  const parts: string[] = []
  for (let from = 0; from < 0x110000; from += 0x800) {
    if (from === 0xd800) continue
    parts.push(String.fromCodePoint(...Array.from({ length: 0x800 }, (_, i) => from + i)))
  }
  return parts.join('')
}

/** Letters beyond have one case, or are many at once. */
const LAST_CASED = 0x1e943

/** With the other case of each letter, where it is one letter. */
export function withBothCases(set: CodePoints): CodePoints {
  const found: [number, number][] = pairs(set)
  for (const [from, to] of pairs(set)) {
    for (let point = from; point <= Math.min(to, LAST_CASED); point++) {
      const char = String.fromCodePoint(point)
      for (const other of [char.toLowerCase(), char.toUpperCase()]) {
        const code = other.codePointAt(0)!
        if (code !== point && other.length === (code > 0xffff ? 2 : 1)) found.push([code, code])
      }
    }
  }
  return normalize(found)
}
