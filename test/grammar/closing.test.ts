/** The cheapest way to a whole text, and texts that are brought to an end in time. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GrammarConstraint } from '../../src/grammar/grammar-constraint.ts'
import { Automaton } from '../../src/grammar/parser/automaton.ts'
import { checkStructure, openAutomaton, type Structure } from '../../src/grammar/structure.ts'
import { fewestTokens } from '../../src/grammar/vocabulary/closing.ts'
import { idsOf, smallVocabulary } from './small-world.ts'

const schema = (value: unknown): Structure => ({
  kind: 'schema',
  schema: JSON.stringify(value),
  options: { closed: true },
})
const list = {
  type: 'object',
  properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
  required: ['next'],
}

const SHORTEST: readonly (readonly [Structure, string])[] = [
  [
    schema({
      type: 'object',
      properties: { a: { type: 'string' }, b: { type: 'integer' } },
      required: ['b'],
    }),
    '{"b":0}',
  ],
  [schema({ type: 'string', minLength: 3 }), '"   "'],
  [schema({ type: 'string', pattern: '^[a-z]{2}-\\d+$' }), '"aa-0"'],
  [schema({ type: 'array', items: { enum: ['long', 'no'] }, minItems: 2 }), '["no","no"]'],
  [schema(list), '{"next":null}'],
  [{ kind: 'choice', choices: ['New York City', 'Rome'] }, 'Rome'],
  [{ kind: 'regex', regex: '(ab){3}c|x{9}' }, 'abababc'],
  [{ kind: 'grammar', text: 'root ::= "(" root ")" | "x"', notation: 'gbnf' }, 'x'],
  [{ kind: 'grammar', text: 'root ::= a "b" | "cccccccc"\na ::= root | "dd"', notation: 'gbnf' }, 'ddb'],
  [{ kind: 'grammar', text: 'root ::= e\ne ::= e "+" e | [0-9]+', notation: 'gbnf' }, '0'],
  [
    {
      kind: 'grammar',
      text: 'root ::= a | "zzzzzzzz"\na ::= b "x" | "p"\nb ::= a "y" | "qqqq"',
      notation: 'gbnf',
    },
    'p',
  ],
  [{ kind: 'items', schema: '{"type":"null"}', min: 2 }, 'null\nnull\n'],
]

test.each(SHORTEST)('%o has a shortest text', (structure, text) => {
  const { rules, start } = checkStructure(structure)
  const automaton = new Automaton(rules, start)
  const bytes = automaton.completion(automaton.start())!
  expect(bytes).toHaveLength(text.length)
  let place = automaton.start()
  for (const byte of bytes) place = automaton.next(place, byte)
  expect(automaton.isComplete(place)).toBe(true)
})

const ALL = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).slice(0, 128)
const TOKENS = [...ALL, '{"', '":', '","', '"}', '"a', 'aa', 'null', '{"next":', '}}', '[{"a":', '"name":"']

test('a text is spelled with the fewest tokens', () => {
  const vocabulary = smallVocabulary(TOKENS)
  const count = (text: string) => fewestTokens(vocabulary, [...new TextEncoder().encode(text)])
  expect(count('{"next":null}')).toBe(3)
  expect(count('aaa')).toBe(2)
  expect(count('"aa"')).toBe(3)
  expect(count('é')).toBe(Number.POSITIVE_INFINITY)
})

describe('a text that is to be closed', () => {
  const vocabulary = smallVocabulary(TOKENS)
  const nested = {
    type: 'array',
    items: { type: 'object', properties: { a: { type: 'string' }, more: { $ref: '#' } }, required: ['a'] },
  }

  test.each([
    schema(nested),
    schema(list),
    schema({
      type: 'object',
      properties: { name: { type: 'string' }, n: { type: 'integer' } },
      required: ['name', 'n'],
    }),
    { kind: 'grammar', text: 'root ::= "(" root ")" | [a-z]+ root | "x"', notation: 'gbnf' } as const,
  ])('%o: whatever is chosen, it is whole within the limit', (structure) => {
    const automaton = openAutomaton(structure, vocabulary)
    fc.assert(
      fc.property(
        fc.array(fc.nat(), { minLength: 60, maxLength: 60 }),
        fc.integer({ min: 0, max: 25 }),
        (draws, extra) => {
          const constraint = new GrammarConstraint(automaton, vocabulary, { closes: true })
          const limit = constraint.needed + extra
          let used = 0
          while (!constraint.mustEnd && used < limit) {
            constraint.left = limit - used
            const ids = idsOf(constraint.allowed()).filter((id) => !vocabulary.endIds.includes(id))
            if (ids.length === 0) break
            constraint.accept(ids[draws[used]! % ids.length]!)
            used++
          }
          expect(constraint.isComplete).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('with room enough nothing is taken away', () => {
    const open = (closes: boolean) =>
      new GrammarConstraint(openAutomaton(schema(nested), vocabulary), vocabulary, { closes })
    const [free, closing] = [open(false), open(true)]
    closing.left = 100
    expect(idsOf(closing.allowed())).toEqual(idsOf(free.allowed()))
    expect(closing.wasClosed).toBe(false)
    closing.accept(idsOf(closing.allowed())[0]!)
  })
})
