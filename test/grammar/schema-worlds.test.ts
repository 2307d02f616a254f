/**
 * JSON Schema in small worlds: all JSON texts of a few bytes, judged by an independent validator. The mask is exactly the tokens that
 * can still lead to one that is valid. The schemas name their keys in alphabetical order, which is then that of the texts.
 */
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileSchema } from '../../src/grammar/json/compile-schema.ts'
import type { Automaton } from '../../src/grammar/parser/automaton.ts'
import { addRange, emptySet } from '../../src/grammar/regex/byte-sets.ts'
import { Regexes } from '../../src/grammar/regex/regexes.ts'
import { expectExactMasks, shortestText } from './small-world.ts'

const MOST = 9
/** Prefixes are looked at up to so many bytes. */
const LOOKED_AT = 9
const BYTES = '{}[],:"ab01-.nulltrefs'
const ALPHABET = emptySet()
for (const byte of Buffer.from(BYTES)) addRange(ALPHABET, byte, byte)

type Value = null | boolean | number | string | Value[] | { [key: string]: Value }

const DOCUMENTS = allDocuments()

/** Texts without space by their length. */
function allDocuments(): { text: string; value: Value }[] {
  const byLength: string[][] = Array.from({ length: MOST + 1 }, () => [])
  const strings: string[][] = byLength.map((_, n) =>
    n < 2 || n > 6 ? [] : words(n - 2, 'ab').map((word) => `"${word}"`),
  )
  const members = (n: number, item: (length: number) => readonly string[]): string[] => {
    if (n === 0) return ['']
    const found: string[] = []
    for (let first = 1; first <= n; first++) {
      const rest =
        first === n ? [''] : first < n - 1 ? members(n - first - 1, item).map((text) => `,${text}`) : []
      for (const one of rest.length > 0 ? item(first) : []) for (const more of rest) found.push(one + more)
    }
    return found
  }
  /** Members whose keys ascend. */
  const pairs = (n: number, after: string): string[] => {
    if (n === 0) return ['']
    return strings.flatMap((keys, used) =>
      keys.flatMap((key) => {
        const found: string[] = []
        if (key <= after) return found
        for (let length = 1; used + 1 + length <= n; length++) {
          const left = n - used - 1 - length
          const rest = left === 0 ? [''] : left > 1 ? pairs(left - 1, key).map((more) => `,${more}`) : []
          for (const more of rest) for (const value of byLength[length]!) found.push(`${key}:${value}${more}`)
        }
        return found
      }),
    )
  }
  for (let n = 1; n <= MOST; n++) {
    const numbers =
      n > 4
        ? []
        : words(n, '01-.').filter((word) => /^(0|-?1[01]*|0\.[01]+|-?1[01]*\.[01]+|-0\.0*1[01]*)$/.test(word))
    const plain = ['null', 'true', 'false'].filter((word) => word.length === n)
    const arrays = n < 2 ? [] : members(n - 2, (length) => byLength[length]!).map((inside) => `[${inside}]`)
    const objects = n < 2 ? [] : pairs(n - 2, '').map((inside) => `{${inside}}`)
    byLength[n]!.push(...plain, ...numbers, ...strings[n]!, ...arrays, ...objects)
  }
  return byLength.flat().map((text) => ({ text, value: JSON.parse(text) as Value }))
}

function words(length: number, letters: string): string[] {
  if (length === 0) return ['']
  return words(length - 1, letters).flatMap((word) => [...letters].map((letter) => word + letter))
}

const number = fc.record(
  {
    type: fc.constantFrom('integer', 'number'),
    minimum: fc.constantFrom(-1, 0, 1, 0.1, -0.1),
    maximum: fc.constantFrom(1, 10, 0.1, 1.1),
    multipleOf: fc.constantFrom(1, 10, 0.1, 11),
  },
  { requiredKeys: ['type', 'minimum', 'maximum'] },
)
const exclusive = fc.record({
  type: fc.constantFrom('integer', 'number'),
  exclusiveMinimum: fc.constantFrom(-1, 0, 0.1),
  exclusiveMaximum: fc.constantFrom(1, 10, 11),
})
const string = fc.record(
  {
    type: fc.constant('string'),
    pattern: fc.constantFrom('^[ab]*$', '^a?b{1,2}$', '^(a|bb)+$', '^[ab]*ab$', '^(?!aa)[ab]*$'),
    minLength: fc.constantFrom(0, 1, 2),
    maxLength: fc.constantFrom(0, 1, 2, 3),
  },
  { requiredKeys: ['type', 'pattern'] },
)
const listed = fc.oneof(
  fc.constantFrom(
    { type: 'null' },
    { type: 'boolean' },
    { const: 'a' },
    { const: [null] },
    { const: { a: null } },
  ),
  fc
    .uniqueArray(fc.constantFrom(null, true, 'a', 'ab', 'b', [], ['b'], {}, { b: true }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((values) => ({ enum: values })),
)

const { schema } = fc.letrec<{ schema: object }>((tie) => {
  const key = fc.constantFrom('a', 'b', 'ab')
  const keys = fc.uniqueArray(key, { maxLength: 2 })
  const properties = fc.record({ a: tie('schema'), b: tie('schema') })
  return {
    schema: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 2, arbitrary: listed },
      number,
      exclusive,
      string,
      fc.record(
        {
          type: fc.constant('array'),
          items: tie('schema'),
          minItems: fc.constantFrom(0, 1, 2),
          maxItems: fc.constantFrom(0, 1, 2),
          contains: tie('schema'),
          maxContains: fc.constantFrom(1),
        },
        { requiredKeys: ['type', 'items'] },
      ),
      fc.record({
        type: fc.constant('array'),
        prefixItems: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }),
        items: fc.oneof(fc.constant(false), tie('schema')),
      }),
      fc.record(
        {
          type: fc.constant('object'),
          properties,
          required: keys,
          minProperties: fc.constantFrom(0, 1, 2),
          maxProperties: fc.constantFrom(1, 2),
          additionalProperties: fc.constant(false),
        },
        { requiredKeys: ['type', 'properties', 'additionalProperties'] },
      ),
      fc.record(
        {
          type: fc.constant('object'),
          maxProperties: fc.constant(1),
          propertyNames: fc.constantFrom({ pattern: '^[ab]$' }, { pattern: '^b*$', maxLength: 2 }),
          patternProperties: fc.dictionary(fc.constantFrom('^a', 'b$'), tie('schema'), { maxKeys: 2 }),
          additionalProperties: tie('schema'),
        },
        { requiredKeys: ['type', 'maxProperties', 'propertyNames', 'additionalProperties'] },
      ),
      fc.tuple(tie('schema'), tie('schema')).map((parts) => ({ anyOf: parts })),
      fc.tuple(tie('schema'), tie('schema')).map((parts) => ({ oneOf: parts })),
      fc.tuple(tie('schema'), tie('schema')).map((parts) => ({ allOf: parts })),
      fc.tuple(tie('schema'), tie('schema')).map(([part, not]) => ({ allOf: [part, { not }] })),
      fc
        .tuple(tie('schema'), tie('schema'), tie('schema'))
        .map(([one, then, otherwise]) => ({ if: one, then, else: otherwise, anyOf: [then, otherwise] })),
    ),
  }
})

const tokens = fc
  .uniqueArray(
    fc
      .nat({ max: DOCUMENTS.length - 1 })
      .chain((i) =>
        fc
          .tuple(fc.nat({ max: 5 }), fc.integer({ min: 2, max: 4 }))
          .map(([from, length]) => DOCUMENTS[i]!.text.slice(from, from + length)),
      ),
    { minLength: 20, maxLength: 60 },
  )
  .map((texts) => [...new Set([...BYTES, ...texts.filter((text) => text.length > 1)])])

/** Free keys may come twice, so they cannot be counted; and each `contains` doubles the states of an array. */
const REFUSED = /more than one property without a name cannot be counted|too many "contains" at once/

test('masks of JSON Schema are exact', () => {
  const ajv = new Ajv2020({ strict: false, validateSchema: false })
  const counts = { places: 0, schemas: 0 }
  fc.assert(
    fc.property(schema, fc.boolean(), tokens, (drawn, whole, vocabulary) => {
      // An integer is written without a fraction, so 1.0 is a number here but no integer: a schema has one of the two.
      const from = whole ? 'number' : 'integer'
      const one = JSON.parse(
        JSON.stringify(drawn).replaceAll(`"type":"${from}"`, `"type":"${whole ? 'integer' : 'number'}"`),
      ) as object
      let grammar: ReturnType<typeof compileSchema>
      const valid = ajv.compile(one)
      const texts = DOCUMENTS.filter(({ text, value }) => valid(value) && !(whole && text.includes('.'))).map(
        ({ text }) => text,
      )
      try {
        grammar = compileSchema(new Regexes(ALPHABET), JSON.stringify(one), { style: 'compact' })
      } catch (error) {
        if (String(error).includes('no document')) expect({ one, texts }).toEqual({ one, texts: [] })
        // Nothing else that the drawn schemas say is refused.
        else expect(String(error)).toMatch(REFUSED)
        return
      }
      counts.schemas++
      const completes = (prefix: string, automaton: Automaton) => {
        const text = shortestText(automaton, prefix)
        return text === null || (text !== undefined && valid(JSON.parse(text)))
      }
      const world = { grammar, tokens: vocabulary, texts, most: LOOKED_AT, completes }
      counts.places += expectExactMasks(world, JSON.stringify(one))
    }),
    { numRuns: Number(process.env.WORLDS ?? 80) },
  )
  expect(counts.schemas).toBeGreaterThan(10)
})
