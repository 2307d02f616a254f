/** `--regex` against the engine's own `RegExp`: small worlds gone through whole, and texts at random. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileRegex } from '../../src/grammar/notations/regex.ts'
import { Automaton } from '../../src/grammar/parser/automaton.ts'
import { addRange, emptySet } from '../../src/grammar/regex/byte-sets.ts'
import { Regexes } from '../../src/grammar/regex/regexes.ts'
import { byteText, expectExactMasks, takes } from './small-world.ts'

const LETTERS = ['a', 'b', 'é', '1']
const MOST = 6
/** No other byte is a token. */
const ALPHABET = emptySet()
for (const byte of Buffer.from(LETTERS.join(''))) addRange(ALPHABET, byte, byte)

/** All texts of up to so many bytes. */
function textsOf(most: number): string[] {
  const texts = ['']
  for (const text of texts)
    for (const letter of LETTERS) if (Buffer.byteLength(text + letter) <= most) texts.push(text + letter)
  return texts
}

const TEXTS = textsOf(MOST)
/** For what has no short text. */
const LONG = textsOf(10).map(byteText)
const asText = (bytes: string): string => Buffer.from(bytes, 'latin1').toString()

const atom = fc.constantFrom('a', 'b', 'é', '1', '.', '[ab]', '[^a]', '\\d', '\\w', '\\p{L}', '[a-é]')
const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
  pattern: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    atom,
    fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => a + b),
    fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `(?:${a}|${b})`),
    fc
      .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{2}', '{0,2}', '{1,3}', '{2,}'))
      .map(([a, times]) => `(?:${a})${times}`),
    fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `(?=${a})${b}`),
    fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `(?!${a})${b}`),
  ),
}))

const tokens = fc
  .uniqueArray(fc.stringMatching(/^[abé1]{2,4}$/), { minLength: 10, maxLength: 40 })
  .map((texts) => [...new Set([...'ab1\xc3\xa9', ...texts.map(byteText), 'a\xc3', '\xa9b', '\xa9\xc3'])])

const tryCompile = (source: string) => {
  try {
    return compileRegex(new Regexes(ALPHABET), source)
  } catch (error) {
    if (/not supported|no text/.test(String(error))) return undefined
    throw error
  }
}

test('masks of regular expressions are exact', () => {
  let places = 0
  fc.assert(
    fc.property(pattern, tokens, (source, vocabulary) => {
      const grammar = tryCompile(source)
      if (grammar === undefined) return
      const matcher = new RegExp(`^(?:${source})$`, 'u')
      const texts = TEXTS.filter((text) => matcher.test(text)).map(byteText)
      const completes = (prefix: string) =>
        LONG.some((text) => text.startsWith(prefix) && matcher.test(asText(text)))
      places += expectExactMasks({ grammar, tokens: vocabulary, texts, most: 3, completes }, source)
    }),
    { numRuns: Number(process.env.WORLDS ?? 40) },
  )
  expect(places).toBeGreaterThan(60)
})

test('a regular expression takes the texts that RegExp takes', () => {
  fc.assert(
    fc.property(pattern, (source) => {
      const grammar = tryCompile(source)
      const matcher = new RegExp(`^(?:${source})$`, 'u')
      const automaton = grammar && new Automaton(grammar.rules, grammar.start)
      for (const text of TEXTS) {
        const matches = automaton !== undefined && takes(automaton, text)
        if (automaton !== undefined || matches)
          expect({ source, text, matches }).toEqual({ source, text, matches: matcher.test(text) })
      }
    }),
    { numRuns: Number(process.env.WORLDS ?? 40) },
  )
})
