/** Templates as Python's Jinja renders them, and what a template may spend. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileTemplate } from '../../src/chat-template/jinja.ts'
import { processorTime } from '../support/processor-time.ts'

const run = (source: string, variables: Record<string, unknown> = {}): string =>
  compileTemplate(source).run(variables)

/** `null` where it fails, as in the fixture. */
function attempt(source: string, variables: Record<string, unknown>): string | null {
  try {
    return run(source, variables)
  } catch {
    return null
  }
}

test('each of 7,000 small templates gives the text that Python gives, or fails where Python fails', () => {
  const { variables, cases } = JSON.parse(
    gunzipSync(readFileSync('fixtures/golden/template-features.json.gz')).toString(),
  ) as { variables: Record<string, unknown>; cases: [string, string | null][] }
  expect(cases.length).toBeGreaterThan(7000)
  const wrong = cases.filter(([source, text]) => attempt(source, variables) !== text)
  expect(wrong).toEqual([])
})

test.each([
  ['{{ messages | selectmissing("x") }}', "no filter named 'selectmissing'"],
  ['{{ 1 is nothing_known }}', "no test named 'nothing_known'"],
  ["{{ 'a'.unheard_of() }}", "'str object' has no attribute 'unheard_of'"],
  ['{{ unheard_of(1) }}', "'unheard_of' is undefined"],
  ['{{ [1].append(2) }}', "access to attribute 'append' of 'list' object is unsafe."],
  ['a\n{% unheard_of %}', 'unknown tag {% unheard_of %}, line 2'],
  ["{% include 'x' %}", '{% include %}: a chat template stands alone, line 1'],
  ['a\n\n{{ 1 + }}', 'unexpected end of a tag, expected an expression, line 3'],
  ['{% if 1 %}', 'unexpected end of the template, expected elif or else or endif, line 1'],
])('what is missing is named: %s', (source, message) => {
  expect(() => run(source)).toThrow(message)
})

test('line ends of any system are line feeds', () => {
  const source = 'a {{ "x\ny" }}\n{% if 1 %}\n  b\n{% endif %}\nc\n'
  for (const end of ['\r\n', '\r']) expect(run(source.replaceAll('\n', end))).toBe(run(source))
})

test('numbers are keys of a dictionary, and what Python finds equal is one key', () => {
  expect(
    run('{% set t = {0: 1, 512: 2, true: 3, "512": 4} %}{{ t[512] }}{{ t["512"] }}{{ t[1.0] }}{{ t }}'),
  ).toBe("243{0: 1, 512: 2, True: 3, '512': 4}")
})

test('texts have characters, not code units', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 12 })
  fc.assert(
    fc.property(text, fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 }), (t, from, to) => {
      const chars = Array.from(t)
      const slice = run('{{ t | length }}:{{ t[a:b] }}:{{ t[::-1] }}:{{ t | list | length }}', {
        t,
        a: from,
        b: to,
      })
      expect(slice).toBe(
        [chars.length, chars.slice(from, to).join(''), chars.toReversed().join(''), chars.length].join(':'),
      )
    }),
    { numRuns: 200 },
  )
})

test('plain data comes back from tojson', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(run('{{ v | tojson }}', { v: value }))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
    { numRuns: 200 },
  )
})

test('the variables that a template looks up are known', () => {
  const { names } = compileTemplate(
    '{% set a = b.c %}{% macro m(d=e) %}{{ f | x(g) is y(h) }}{% endmacro %}{% for i in j if k %}{{ "l" }}{% endfor %}',
  )
  for (const name of ['b', 'e', 'f', 'g', 'h', 'j', 'k']) expect(names).toContain(name)
  for (const name of ['c', 'x', 'y', 'l']) expect(names).not.toContain(name)
})

describe('what reads or makes something long pays for its length', () => {
  const long = 'hello '.repeat(2000)
  const repeat = (statement: string, before = '') =>
    `${before}{% for a in range(99999) %}{% for b in range(99) %}${statement}{% endfor %}{% endfor %}`
  const list = '{% set l = range(99999) | list %}'
  test.each([
    ['in a list', repeat('{% set x = "x" in l %}', list)],
    ['a list of characters', repeat('{% set x = t | list %}')],
    ['slices of a text', repeat('{% set x = t[::2] %}')],
    ['slices of a list', repeat('{% set x = l[1:] %}', list)],
    ['characters one by one', repeat('{% set x = t[b] %}')],
    ['equal lists', repeat('{% set x = l == l %}', list)],
    ['titles', repeat('{% set x = t | title %}')],
    ['a product of lists', repeat('{% set x = l * 9 %}', list)],
    ['white space', repeat('{% set x = s.strip() %}', '{% set s = "\u2003" * 99999 %}')],
    ['joined', repeat('{% set x = l | join("-") %}', list)],
    ['lines', repeat('{% set x = s | indent(1) %}', '{% set s = "\n" * 99999 %}')],
    ['kept', repeat('{% set n.l = n.l + [t | upper] %}', '{% set n = namespace(l=[]) %}')],
  ])('%s', (_, source) => {
    const spent = processorTime()
    expect(() => run(source, { t: long })).toThrow(/takes too long|too large/)
    expect(spent()).toBeLessThan(5000)
  })

  test.each([
    ['tojson(indent=100000000)', '{{ [1] | tojson(indent=100000000) }}'],
    ['indent(130000000)', '{{ "a\nb" | indent(130000000) }}'],
    ['a wide format', "{{ '%200000000d' % 1 }}"],
    ['a wide field', "{{ '{:>200000000}'.format(1) }}"],
    ['center', "{{ 'a'.center(200000000) }}"],
    ['zfill', "{{ 'a'.zfill(200000000) }}"],
    ['a product', "{{ 'abc' * 100000000 }}"],
    ['a long product', '{{ [0] * 100000000 }}'],
    ['replace', "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}"],
    ['tabs', "{{ ('\t' * 1000).expandtabs(1000000) }}"],
    ['batch', '{{ [1] | batch(100000000, 0) | list }}'],
    ['slice', '{{ [1] | slice(100000000) | list }}'],
    ['a power', '{{ 9 ** 99999 }}'],
    ['digits', "{{ ('9' * 100000) | int }}"],
  ])('%s is refused before it is made', (_, source) => {
    const before = process.memoryUsage.rss()
    expect(() => run(source)).toThrow(/too much|too large|too long/)
    expect(process.memoryUsage.rss() - before).toBeLessThan(200e6)
  })
})
