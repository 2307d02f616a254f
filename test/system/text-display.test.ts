import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { escapeStream, escapeText, oneLine, quote, toJson } from '../../src/system/text-display.ts'

const UNSAFE = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/
const text = fc.string({ unit: 'binary' })
/** Texts in which what matters is frequent. */
const hostile = fc.oneof(
  text,
  fc.string({
    unit: fc.constantFrom(..."\x00\x1b\t\n\r\x7f\x85\x9b\u2028\u2029\u202a\u202e\u2066\u2069\u200f\\'ab世😀"),
  }),
)

describe('one line', () => {
  test('what is shown drives no terminal, breaks no line, turns nothing round, and stays when shown again', () => {
    fc.assert(
      fc.property(hostile, (all) => {
        for (const show of [escapeText, (each: string) => oneLine(each), (each: string) => quote(each)]) {
          expect(show(all)).not.toMatch(UNSAFE)
          expect(escapeText(show(all))).toBe(show(all))
        }
      }),
    )
  })

  test('each kind of character', () => {
    expect(escapeText('a\n\t\x1b[1m\u009b\x7f\u0085\u2028\u202e\u2066')).toBe(
      'a\\x0a\\x09\\x1b[1m\\x9b\\x7f\\x85\\u2028\\u202e\\u2066',
    )
    expect(escapeText('héllo 世界 😀 \u200fשלום')).toBe('héllo 世界 😀 \u200fשלום')
    expect(oneLine('a  \n\n b\u2029c')).toBe('a b\\u2029c')
    expect(quote('a\n"\x1b\x9b\u202e')).toBe('"a\\n\\"\\u001b\\u009b\\u202e"')
    expect([quote(undefined), quote(null), quote([1, 'é'])]).toEqual(['none', 'null', '[1,"é"]'])
  })

  test('is cut where it is long, and not through a character', () => {
    expect(oneLine('x'.repeat(20), 8)).toBe('xxxxxxxx…')
    expect(quote('abcd😀😀', 5)).toBe('"abcd…"')
    expect(quote({ a: 'x'.repeat(99) }, 8)).toBe('{"a":"xx…')
  })
})

describe('a stream', () => {
  test('pieces may be cut anywhere', () => {
    fc.assert(
      fc.property(hostile, hostile, (a, b) => {
        expect(escapeStream(a + b)).toBe(escapeStream(a) + escapeStream(b))
      }),
    )
  })

  test('tabs, line feeds and every other character stay; the rest is as on one line', () => {
    expect(escapeStream('a\tb\nc\r\n\x1b[1m\u009b\x7f€😀\u202e\u2028')).toBe(
      'a\tb\nc\n\\x1b[1m\\x9b\\x7f€😀\\u202e\\u2028',
    )
    fc.assert(
      fc.property(hostile, (all) => {
        expect(escapeStream(all).replace(/[\t\n]/g, '')).toBe(escapeText(all.replace(/[\t\n\r]/g, '')))
      }),
    )
  })
})

describe('JSON', () => {
  test('is the same value, in lines that any reader splits alike', () => {
    fc.assert(
      fc.property(fc.jsonValue(), hostile, fc.constantFrom(undefined, 2), (value, string, indent) => {
        const written = toJson({ [string]: [string, value] }, indent)
        expect(JSON.parse(written)).toEqual(JSON.parse(JSON.stringify({ [string]: [string, value] })))
        expect(written.replaceAll('\n', indent === undefined ? '\n' : '')).not.toMatch(UNSAFE)
      }),
    )
  })
})
