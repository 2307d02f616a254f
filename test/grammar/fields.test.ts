import { expect, test } from 'vitest'
import { compileSchema } from '../../src/grammar/json/compile-schema.ts'
import { readFields } from '../../src/grammar/notations/fields.ts'
import { Automaton } from '../../src/grammar/parser/automaton.ts'
import { Regexes } from '../../src/grammar/regex/regexes.ts'
import { takes } from './small-world.ts'

test('fields become JSON Schema', () => {
  expect(
    readFields(
      'name, age int 0..120, email?, role admin|user, tags [str] 1..5, born date, pos {x float, y float}: where it is',
    ),
  ).toEqual({
    type: 'object',
    properties: {
      name: { type: 'string' },
      age: { type: 'integer', minimum: 0, maximum: 120 },
      email: { type: 'string' },
      role: { enum: ['admin', 'user'] },
      tags: { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 5 },
      born: { type: 'string', format: 'date' },
      pos: {
        type: 'object',
        properties: { x: { type: 'number' }, y: { type: 'number' } },
        required: ['x', 'y'],
        additionalProperties: false,
        description: 'where it is',
      },
    },
    required: ['name', 'age', 'role', 'tags', 'born', 'pos'],
    additionalProperties: false,
  })
})

test('lines do as well as commas, ranges stand for lengths, values may be in quotes', () => {
  expect(
    readFields(
      'bio str ..80: a short bio\n"first name"\nscore float 0.5..\nlists [[int 0..9] 2..2]\nsize "x l" | s',
    ),
  ).toEqual({
    type: 'object',
    properties: {
      bio: { type: 'string', maxLength: 80, description: 'a short bio' },
      'first name': { type: 'string' },
      score: { type: 'number', minimum: 0.5 },
      lists: {
        type: 'array',
        items: {
          type: 'array',
          items: { type: 'integer', minimum: 0, maximum: 9 },
          minItems: 2,
          maxItems: 2,
        },
      },
      size: { enum: ['x l', 's'] },
    },
    required: ['bio', 'first name', 'score', 'lists', 'size'],
    additionalProperties: false,
  })
})

test('what they become can be used as it is', () => {
  const { rules, start } = compileSchema(
    new Regexes(),
    JSON.stringify(readFields('name, age int 0..120, tags? [a|b] 1..2')),
  )
  const automaton = new Automaton(rules, start)
  const right = [
    '{"name":"Ann","age":0}',
    '{"name": "", "age": 120, "tags": ["b", "a"]}',
    '{\n  "name": "é",\n  "age": 7\n}',
  ]
  expect(right.filter((text) => !takes(automaton, text))).toEqual([])
  const wrong = [
    '{"name":"Ann"}',
    '{"age":1,"name":"Ann"}',
    '{"name":"A","age":121}',
    '{"name":"A","age":1,"tags":[]}',
    '{"name":"A", "age":1}',
  ]
  expect(wrong.filter((text) => takes(automaton, text))).toEqual([])
})

test.each([
  ['', 'schema: line 1, column 1: no field is given'],
  ['a, a', 'schema: line 1, column 4: the field a is given twice'],
  ['a in', 'schema: line 1, column 3: there is no type in'],
  ['a int 5..1', 'schema: line 1, column 7: a range out of order'],
  ['a bool 1..2', 'schema: line 1, column 8: a range belongs to no such type'],
  ['a,\nb [int', 'schema: line 2, column 7: ] is missing'],
  ['a {b', 'schema: line 1, column 5: } is missing'],
  ['a int int', 'schema: line 1, column 7: a comma is missing'],
])('%j is refused with its place', (text, message) => {
  expect(() => readFields(text)).toThrow(message)
})
