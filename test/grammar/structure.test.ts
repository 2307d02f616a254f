import { expect, test } from 'vitest'
import { notationOf, openConstraint, type Structure } from '../../src/grammar/structure.ts'
import { idsOf, smallVocabulary } from './small-world.ts'

const ALL = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))

/** The first text that takes the lowest legal id at each place. */
function firstText(structure: Structure, tokens: readonly string[]): string {
  const constraint = openConstraint(structure, smallVocabulary(tokens))
  let text = ''
  while (!constraint.isComplete) {
    const [id] = idsOf(constraint.allowed())
    text += tokens[id!]
    constraint.accept(id!)
  }
  return text
}

test.each<[Structure, string]>([
  [
    {
      kind: 'schema',
      schema:
        '{"type":"object","properties":{"a":{"const":1}},"required":["a"],"additionalProperties":false}',
      options: { style: 'compact' },
    },
    '{"a":1}',
  ],
  [{ kind: 'array', options: { style: 'compact' } }, '[]'],
  [{ kind: 'regex', regex: 'b{3}|cc' }, 'bbb'],
  [{ kind: 'choice', choices: ['yes', 'no'] }, 'no'],
  [{ kind: 'grammar', text: 'root ::= "{" root "}" | "x"', notation: 'gbnf' }, 'x'],
  [{ kind: 'grammar', text: 'start: "a" "b"', notation: 'lark' }, 'ab'],
  [{ kind: 'grammar', text: "a ::= b 'c'\nb ::= [d-f]", notation: 'ebnf' }, 'dc'],
])('%o opens', (structure, text) => {
  // Tokens in the order in which the lowest one ends a text soonest.
  const tokens = [...']x', ...ALL]
  expect(firstText(structure, tokens)).toBe(text)
})

test('a byte that no token is by itself is left out, or named when nothing is left', () => {
  const without = ALL.map((token, byte) => (byte === 0x61 ? 'aa' : token))
  expect(firstText({ kind: 'regex', regex: '[a-c]x' }, without)).toBe('bx')
  expect(() => openConstraint({ kind: 'choice', choices: ['an'] }, smallVocabulary(without))).toThrow(
    'structure: this model has no token for the bytes 0x61',
  )
})

test('a notation is known by its file or by its first rule', () => {
  expect(notationOf('whatever', 'x/y.LARK')).toBe('lark')
  expect(notationOf('root ::= "a"')).toBe('gbnf')
  expect(notationOf('# comment\nws ::= " "\nroot ::= ws')).toBe('gbnf')
  expect(notationOf('// comment\nstart: "a"')).toBe('lark')
  expect(notationOf('%import common.WS\nstart: WS')).toBe('lark')
  expect(notationOf("Name ::= 'a'")).toBe('ebnf')
})
