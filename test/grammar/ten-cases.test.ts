/** Ten cases that engines get wrong, with their right outcomes: what is legal to the byte, what can end, what is refused. */
import { describe, expect, test } from 'vitest'
import { checkText } from '../../src/grammar/check-text.ts'
import { GrammarConstraint } from '../../src/grammar/grammar-constraint.ts'
import { Automaton, DEAD, type Place } from '../../src/grammar/parser/automaton.ts'
import {
  compileStructure,
  openAutomaton,
  openConstraint,
  type Structure,
} from '../../src/grammar/structure.ts'
import { idsOf, smallVocabulary } from './small-world.ts'

const schema = (value: unknown, closed = false): Structure => ({
  kind: 'schema',
  schema: typeof value === 'string' ? value : JSON.stringify(value),
  options: { closed, style: 'compact' },
})
const gbnf = (text: string): Structure => ({ kind: 'grammar', text, notation: 'gbnf' })
const open = (structure: Structure): Automaton => {
  const { rules, start } = compileStructure(structure)
  return new Automaton(rules, start)
}
const bytesOf = (text: string | readonly number[]): Uint8Array =>
  typeof text === 'string' ? new TextEncoder().encode(text) : Uint8Array.from(text)
const after = (automaton: Automaton, text: string | readonly number[]): Place =>
  bytesOf(text).reduce((place, byte) => automaton.next(place, byte), automaton.start())
const takes = (automaton: Automaton, text: string): boolean => {
  const place = after(automaton, text)
  return place !== DEAD && automaton.isComplete(place)
}
const lives = (automaton: Automaton, text: string | readonly number[]): boolean =>
  after(automaton, text) !== DEAD
/** What may come next, as ASCII. */
const nexts = (automaton: Automaton, text: string): string =>
  Array.from({ length: 128 }, (_, byte) => String.fromCharCode(byte))
    .filter((char) => automaton.next(after(automaton, text), char.charCodeAt(0)) !== DEAD)
    .join('')
const refusal = (structure: Structure): string => {
  try {
    compileStructure(structure)
    return 'none'
  } catch (error) {
    return (error as Error).message
  }
}

describe('1: a pattern sees characters, the mask bytes of JSON', () => {
  test('two words around a backslash', () => {
    const words = open(schema({ type: 'string', pattern: '^\\w+\\\\\\w+$' }))
    expect(takes(words, '"a\\\\b"')).toBe(true)
    expect(lives(words, '"a\\b')).toBe(false)
  })

  test('an unanchored pattern searches, within the length', () => {
    const four = open(schema({ type: 'string', pattern: 'ab', minLength: 4, maxLength: 4 }))
    expect(takes(four, '"xaby"')).toBe(true)
    expect(takes(four, '"ab"')).toBe(false)
    expect(lives(four, '"xx')).toBe(true)
    expect(lives(four, '"xxx')).toBe(false)
  })
})

describe('2: lengths count characters', () => {
  const two = open(schema({ type: 'string', maxLength: 2 }))
  const turtle = [...bytesOf('🐢')]

  test('two turtles, byte by byte, and no third', () => {
    expect(takes(two, '"🐢🐢"')).toBe(true)
    expect(lives(two, [0x22, ...turtle, ...turtle, turtle[0]!])).toBe(false)
    const half = [0x22, ...turtle, ...turtle.slice(0, 2)]
    expect(lives(two, half)).toBe(true)
    expect(lives(two, [...half, 0x22])).toBe(false)
    expect(lives(two, [...half, ...turtle.slice(2), 0x22])).toBe(true)
  })

  test('a hundred thousand make no more places than two do', () => {
    const many = open(schema({ type: 'string', maxLength: 100_000 }))
    const constraint = new GrammarConstraint(many, smallVocabulary(['"', 'a', 'aaaa', '🐢']))
    constraint.allowed()
    expect(many.size).toBeLessThan(200)
  })
})

describe('3: optional keys', () => {
  const three = schema({
    type: 'object',
    properties: { a: { type: 'integer' }, b: { type: 'integer' }, c: { type: 'integer' } },
    minProperties: 1,
    additionalProperties: false,
  })

  test('in their order, one at least', () => {
    const automaton = open(three)
    for (const text of ['{"b":1}', '{"a":1,"c":2}', '{"a":1,"b":2,"c":3}'])
      expect(takes(automaton, text)).toBe(true)
    for (const text of ['{}', '{,', '{"a":1,}', '{"c":1,"a"']) expect(lives(automaton, text)).toBe(false)
  })

  test('a token is legal exactly where each of its bytes is', () => {
    const tokens = ['{}', '{"', '",', '":"', '},{', '{', '"', 'a', 'b', ':', '1', '}', '":1', ',"', ',']
    const constraint = openConstraint(three, smallVocabulary(tokens))
    const allowed = () => idsOf(constraint.allowed()).map((id) => tokens[id] ?? 'end')
    const accept = (token: string) => constraint.accept(tokens.indexOf(token))
    expect(allowed()).toEqual(['{"', '{'])
    accept('{"')
    expect(allowed()).toEqual(['a', 'b'])
    accept('a')
    expect(allowed()).toEqual(['"', '":1'])
    accept('":1')
    expect(allowed()).toEqual(['1', '}', ',"', ','])
    accept(',"')
    expect(allowed()).toEqual(['b'])
  })

  test('a key that cannot be there is refused', () => {
    expect(refusal(schema({ type: 'object', required: ['z'], additionalProperties: false }))).toBe(
      'schema: no document satisfies it',
    )
  })
})

describe('4: numbers', () => {
  test('-3 to 17 by fives', () => {
    const fives = open(schema({ type: 'integer', minimum: -3, maximum: 17, multipleOf: 5 }))
    const taken = Array.from({ length: 60 }, (_, i) => i - 30).filter((n) => takes(fives, `${n}`))
    expect(taken).toEqual([0, 5, 10, 15])
    expect([nexts(fives, '1'), takes(fives, '1'), nexts(fives, '')]).toEqual(['05', false, '015'])
  })

  test('above 0, up to 0.1', () => {
    const tenth = open(schema({ type: 'number', exclusiveMinimum: 0, maximum: 0.1 }))
    for (const text of ['0', '0.0']) expect([takes(tenth, text), lives(tenth, text)]).toEqual([false, true])
    for (const text of ['0.05', '0.1', '0.10']) expect(takes(tenth, text)).toBe(true)
    for (const text of ['0.11', '-']) expect(lives(tenth, text)).toBe(false)
  })

  test('bounds beyond 2^53', () => {
    const large = open(schema('{"type":"integer","minimum":9007199254740993,"maximum":9007199254740995}'))
    const taken = ['2', '3', '4', '5', '6'].filter((digit) => takes(large, `900719925474099${digit}`))
    expect(taken).toEqual(['3', '4', '5'])
  })
})

describe('5: a schema of itself', () => {
  const list = (next: unknown) =>
    schema({ type: 'object', properties: { next }, required: ['next'], additionalProperties: false })

  test('any depth', () => {
    const automaton = open(list({ anyOf: [{ $ref: '#' }, { type: 'null' }] }))
    expect(takes(automaton, `${'{"next":'.repeat(5000)}null${'}'.repeat(5000)}`)).toBe(true)
  })

  test('without an end it is refused', () => {
    expect(refusal(list({ $ref: '#' }))).toBe('schema: no document satisfies it')
  })
})

describe('6: oneOf', () => {
  test('exactly one, or a refusal that names it', () => {
    const one = schema({ oneOf: [{ type: 'integer' }, { type: 'number', minimum: 10 }] })
    const message = refusal(one)
    if (message !== 'none') expect(message).toMatch(/^schema: \/oneOf/)
    else {
      const automaton = open(one)
      expect(['3', '12.5', '12', '12.0', '3.5'].filter((text) => takes(automaton, text))).toEqual([
        '3',
        '12.5',
      ])
    }
  })

  test('told apart by a constant', () => {
    const kind = (name: string, key: string) => ({
      type: 'object',
      properties: { kind: { const: name }, [key]: { type: 'integer' } },
      required: ['kind', key],
      additionalProperties: false,
    })
    const automaton = open(schema({ oneOf: [kind('cat', 'lives'), kind('dog', 'years')] }))
    expect(takes(automaton, '{"kind":"cat","lives":9}')).toBe(true)
    expect(nexts(automaton, '{"kind":"cat","')).toBe('l')
    expect(lives(automaton, '{"kind":"cat","years"')).toBe(false)
  })
})

test('7: allOf, a base, siblings and anyOf: all keys and all bounds', () => {
  const automaton = open(
    schema({
      $defs: {
        Base: { type: 'object', properties: { x: { type: 'integer', minimum: 10 } }, required: ['x'] },
      },
      allOf: [{ $ref: '#/$defs/Base' }, { properties: { y: { type: 'string' } }, required: ['y'] }],
      properties: { z: { type: 'boolean' } },
      anyOf: [{ required: ['z'] }, { properties: { y: { const: 'lone' } } }],
      unevaluatedProperties: false,
    }),
  )
  const texts = [
    '{"z":true,"x":10,"y":"s"}',
    '{"x":10,"y":"lone"}',
    '{"x":10,"z":true,"y":"s"}',
    '{"x":10,"y":"s","z":true}',
  ]
  expect(texts.some((text) => takes(automaton, text))).toBe(true)
  expect(takes(automaton, '{"x":10,"y":"lone"}')).toBe(true)
  for (const text of ['"', '{"x":9,', '{"y":"s"}', '{"w"', '{"x":10,"y":"s"}'])
    expect(lives(automaton, text), text).toBe(false)
})

describe('8: keys and values', () => {
  test('a declared key comes once, however it is spelled', () => {
    const automaton = open(
      schema({
        type: 'object',
        properties: { id: { type: 'integer' } },
        required: ['id'],
        additionalProperties: { type: 'string' },
      }),
    )
    expect(takes(automaton, '{"id":1,"idx":"s"}')).toBe(true)
    for (const text of ['{"id":1,"id"', '{"id":1,"\\u0069']) expect(lives(automaton, text)).toBe(false)
  })

  test('an enum of anything', () => {
    const automaton = open(schema({ enum: ['a', 'ab', '日本', 'a"b', 1, null, { k: [true] }] }))
    expect(nexts(automaton, '"a')).toBe('"\\b')
    const [first, second, third] = bytesOf('日')
    expect(lives(automaton, [0x22, first!])).toBe(true)
    expect(lives(automaton, [0x22, first!, second!])).toBe(true)
    expect(lives(automaton, [0x22, first!, third! ^ 1])).toBe(false)
    for (const text of ['1', 'null', '{"k":[true]}', '"日本"', '"a\\"b"'])
      expect(takes(automaton, text)).toBe(true)
    // Worth the same, and never written so: an answer has one spelling of a number.
    expect(takes(automaton, '1.0')).toBe(false)
    expect(checkText(schema({ enum: [1] }), bytesOf('1.0')).isValid).toBe(true)
  })
})

describe('9: grammars', () => {
  test('left recursion, ambiguous: five hundred terms cost what ten do', () => {
    const automaton = open(gbnf('root ::= e\ne ::= e "+" e | [0-9]+'))
    expect([takes(automaton, '1+2'), takes(automaton, '1+')]).toEqual([true, false])
    const places = (terms: number) => {
      const before = automaton.size
      after(automaton, Array.from({ length: terms }, () => '1').join('+'))
      return automaton.size - before
    }
    places(10)
    expect(places(500)).toBeLessThan(5000)
  })

  test.each<Structure>([
    gbnf('root ::= "yes" | "yesterday"'),
    { kind: 'choice', choices: ['yes', 'yesterday'] },
  ])('%o: what is forced is no token', (structure) => {
    const tokens = ['y', 'e', 's', 'yes', 'terday', 'yesterday', 't', 'r', 'd', 'a']
    const constraint = openConstraint(structure, smallVocabulary(tokens))
    const allowed = () => idsOf(constraint.allowed()).map((id) => tokens[id] ?? 'end')
    expect(allowed()).toEqual(['y', 'yes', 'yesterday'])
    expect(constraint.propose(new Int32Array(8), 8)).toBe(0)
    constraint.accept(3)
    expect(allowed()).toEqual(['terday', 't', 'end', 'end'])
  })

  test('a rule that is not there is refused with its place', () => {
    expect(refusal(gbnf('root ::= "a" |\n  b "c"'))).toMatch(/^grammar: line 2, column 3: /)
  })
})

describe('10: loops and limits', () => {
  const record = schema({ type: 'object', properties: { a: { type: 'string' } }, required: ['a'] }, true)
  const tokens = ['\n', ' ', '{', '"', 'a', ':', '}', '\\', ',']

  test('one who always wants a line break gets few', () => {
    const auto: Structure = { ...record, options: { style: 'auto' } } as Structure
    const constraint = openConstraint(auto, smallVocabulary(tokens))
    let written = ''
    for (let step = 0; step < 60 && !constraint.mustEnd; step++) {
      const ids = idsOf(constraint.allowed())
      const id = [0, 1].find((each) => ids.includes(each)) ?? ids.at(-1)!
      if (id >= tokens.length) break
      const next =
        written.endsWith('"') || written.endsWith('a') ? [3, ...ids].find((each) => ids.includes(each))! : id
      constraint.accept(next)
      written += tokens[next]
    }
    expect(written).not.toMatch(/\n\s*\n/)
    expect(written.split('\n').length).toBeLessThan(6)
  })

  test('one who never closes a string is closed in time', () => {
    const vocabulary = smallVocabulary(tokens)
    const constraint = new GrammarConstraint(openAutomaton(record, vocabulary), vocabulary, { closes: true })
    let written = ''
    for (let left = 40; left > 0 && !constraint.mustEnd; left--) {
      constraint.left = left
      const ids = idsOf(constraint.allowed())
      const id = ids.includes(4) ? 4 : ids[0]!
      constraint.accept(id)
      written += tokens[id]
    }
    expect(written).toMatch(/^\{"a":"a+"\}$/)
    expect([written.length, constraint.wasClosed]).toEqual([40, true])
  })
})
