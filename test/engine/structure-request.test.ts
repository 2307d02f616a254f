/** Structures as plain data: as a program writes them, as JSON brings them, and in the shapes of others. */
import { expect, test } from 'vitest'
import { requestToJson } from '../../src/engine/plain-request.ts'
import { makeRequest } from '../../src/engine/request.ts'
import { requestFromJson } from '../../src/engine/request-json.ts'
import { structureFromJson } from '../../src/engine/structure-json.ts'
import { structureOfResponseFormat, structureRequest } from '../../src/engine/structure-request.ts'

const schema = { type: 'object', properties: { b: { type: 'integer' }, a: { const: null } } }

test('a schema as a value becomes text, keys in their order, and takes no other keys unless told', () => {
  const { structure } = makeRequest({ prompt: 'x', structure: { of: { kind: 'schema', schema } } })
  expect(structure).toEqual({
    of: { kind: 'schema', schema: JSON.stringify(schema), options: { closed: true } },
  })
  const open = { kind: 'schema', schema, options: { closed: false } } as const
  expect(makeRequest({ prompt: 'x', structure: { of: open } }).structure!.of).toMatchObject({
    options: { closed: false },
  })
})

test.each([
  { of: { kind: 'schema', schema }, prompt: 'types', onLimit: 'close', jump: 'off' },
  { of: { kind: 'items', schema: JSON.stringify(schema), min: 1, max: 3 } },
  { of: { kind: 'array' } },
  { of: { kind: 'regex', regex: 'a+' } },
  { of: { kind: 'choice', choices: ['a', 'b'] } },
  { of: { kind: 'grammar', text: 'root ::= "a"', notation: 'gbnf' } },
] as const)('%o survives JSON within a request', (structure) => {
  const request = makeRequest({ prompt: 'x', structure })
  const back = requestFromJson(JSON.parse(JSON.stringify(requestToJson(request))))
  expect(back.structure).toEqual(request.structure)
})

test.each([
  [undefined, undefined],
  [{ type: 'text' }, undefined],
  [{ type: 'json_object' }, { kind: 'object', options: { closed: true } }],
  [
    { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } },
    { kind: 'schema', schema: JSON.stringify(schema), options: { closed: true } },
  ],
  [
    { type: 'json_schema', name: 'x', schema },
    { kind: 'schema', schema: JSON.stringify(schema), options: { closed: true } },
  ],
])('response_format %o', (format, of) => {
  expect(structureOfResponseFormat(format)).toEqual(of && { of })
})

test.each([
  [{ type: 'xml' }, 'response_format: type "xml" is not text, json_object or json_schema'],
  [{ type: 'json_schema' }, 'response_format: json_schema.schema is missing'],
  ['json', 'response_format: it is not an object'],
])('response_format %o is refused', (format, message) => {
  expect(() => structureOfResponseFormat(format)).toThrow(message)
})

test.each([
  [{ of: { kind: 'xml' } }, 'structure.of.kind: "xml" is not one of schema, items'],
  [{ of: { kind: 'regex' } }, 'structure.of.regex: missing'],
  [{ of: { kind: 'choice', choices: [1] } }, 'structure.of.choices: missing, or of another type'],
  [{ of: { kind: 'json' }, jump: 'no' }, 'structure.jump: "no" is not one of its values'],
  [{ of: { kind: 'json', options: { style: 'x' } } }, 'structure.of.options.style'],
  [{ of: { kind: 'schema', schema: '{"$ref":"#/no"}' } }, 'schema: /$ref: #/no is not in this schema'],
  [{ of: { kind: 'items', schema, min: -1 } }, 'structure.of.min'],
])('%o is refused', (structure, message) => {
  expect(() => structureFromJson(structure)).toThrow(message)
})

test('a structure says itself where it ends', () => {
  const structure = { of: { kind: 'choice', choices: ['a'] } } as const
  expect(() => makeRequest({ prompt: 'x', structure, stopStrings: ['b'] })).toThrow('stop: a structure says')
  expect(() => makeRequest({ prompt: 'x', structure, ignoreEos: true })).toThrow(
    'ignore-eos: a structure says',
  )
})

test('what is a request already keeps its structure: nothing is made of it a second time', () => {
  for (const of of [
    { kind: 'schema', schema: '{"type":"object"}' },
    { kind: 'items', schema: { type: 'object' }, max: 3 },
    { kind: 'array' },
    { kind: 'regex', regex: 'a+' },
  ] as const) {
    const request = structureRequest({ of })
    expect(structureRequest(request).of).toBe(request.of)
  }
})
