/**
 * A short way to write a schema: `name, age int 0..120, email?, role admin|user, tags [str] 1..5, pos {x float, y float}: where it is`.
 * Fields are set off by commas or lines; `?` makes one optional, a colon begins its description. It becomes JSON Schema.
 */
import { NESTED, Scanner } from './scanner.ts'

export type FieldSchema = { readonly [keyword: string]: unknown }

const TYPES: Readonly<Record<string, FieldSchema>> = {
  str: { type: 'string' },
  string: { type: 'string' },
  int: { type: 'integer' },
  integer: { type: 'integer' },
  float: { type: 'number' },
  number: { type: 'number' },
  bool: { type: 'boolean' },
  boolean: { type: 'boolean' },
  null: { type: 'null' },
  any: {},
  date: { type: 'string', format: 'date' },
  time: { type: 'string', format: 'time' },
  datetime: { type: 'string', format: 'date-time' },
  email: { type: 'string', format: 'email' },
  uri: { type: 'string', format: 'uri' },
  uuid: { type: 'string', format: 'uuid' },
}

/** The keywords that a range stands for. */
const RANGES: Readonly<Record<string, readonly [string, string]>> = {
  string: ['minLength', 'maxLength'],
  integer: ['minimum', 'maximum'],
  number: ['minimum', 'maximum'],
  array: ['minItems', 'maxItems'],
}

const SPACE = /[ \t\r]*/y
const BETWEEN = /[ \t\r\n,]*/y
const NAME = /[\p{L}_$][\p{L}\p{N}_$-]*|"(?:[^"\\\n]|\\.)*"/uy
const WORD = /[\p{L}\p{N}_$.+-]+|"(?:[^"\\\n]|\\.)*"/uy
const RANGE = /(-?\d+(?:\.\d+)?)?\.\.(-?\d+(?:\.\d+)?)?/y
const DESCRIPTION = /[^,\n{}]*/y

/** @throws SpoutError `usage`, `schema: line …`. */
export function readFields(text: string): FieldSchema {
  const scanner = new Scanner(text, 'schema')
  const schema = readObject(scanner, 0)
  if (!scanner.isAtEnd) throw scanner.refuse('this is no field')
  return schema
}

function readObject(scanner: Scanner, depth: number): FieldSchema {
  if (depth > NESTED) throw scanner.refuse('nested too deeply')
  const properties: Record<string, FieldSchema> = {}
  const required: string[] = []
  for (scanner.match(BETWEEN); !scanner.isAtEnd && !scanner.sees('}'); scanner.match(BETWEEN)) {
    const { at } = scanner
    const name = scanner.match(NAME)
    if (name === undefined) throw scanner.refuse('the name of a field is missing')
    const key = plain(name[0])
    if (Object.hasOwn(properties, key)) throw scanner.refuse(`the field ${key} is given twice`, at)
    if (!scanner.take('?')) required.push(key)
    // A name like __proto__ is one like any other.
    Object.defineProperty(properties, key, { value: readField(scanner, depth), enumerable: true })
    if (!scanner.isAtEnd && !/[,\n}]/.test(scanner.text[scanner.at]!))
      throw scanner.refuse('a comma is missing')
  }
  if (Object.keys(properties).length === 0) throw scanner.refuse('no field is given')
  return { type: 'object', properties, ...(required.length > 0 && { required }), additionalProperties: false }
}

function readField(scanner: Scanner, depth: number): FieldSchema {
  scanner.match(SPACE)
  const hasType = !scanner.isAtEnd && !/[,\n}:]/.test(scanner.text[scanner.at]!)
  const type = hasType ? readRanged(scanner, depth) : TYPES.str!
  scanner.match(SPACE)
  if (!scanner.take(':')) return type
  const description = scanner.match(DESCRIPTION)![0].trim()
  return description === '' ? type : { ...type, description }
}

function readRanged(scanner: Scanner, depth: number): FieldSchema {
  const type = readType(scanner, depth)
  scanner.match(SPACE)
  const { at } = scanner
  const range = scanner.match(RANGE)
  if (range === undefined) return type
  const keywords = RANGES[String(type.type)]
  const [, least, most] = range
  if (keywords === undefined || type.format !== undefined)
    throw scanner.refuse('a range belongs to no such type', at)
  if (least === undefined && most === undefined) throw scanner.refuse('a range without a bound', at)
  if (least !== undefined && most !== undefined && Number(least) > Number(most))
    throw scanner.refuse('a range out of order', at)
  return {
    ...type,
    ...(least !== undefined && { [keywords[0]]: Number(least) }),
    ...(most !== undefined && { [keywords[1]]: Number(most) }),
  }
}

function readType(scanner: Scanner, depth: number): FieldSchema {
  if (scanner.take('[')) {
    scanner.match(SPACE)
    const items = scanner.sees(']') ? TYPES.str! : readRanged(scanner, depth + 1)
    scanner.match(SPACE)
    if (!scanner.take(']')) throw scanner.refuse('] is missing')
    return { type: 'array', items }
  }
  if (scanner.take('{')) {
    const object = readObject(scanner, depth + 1)
    if (!scanner.take('}')) throw scanner.refuse('} is missing')
    return object
  }
  const { at } = scanner
  const first = scanner.match(WORD)
  if (first === undefined) throw scanner.refuse('a type is missing')
  const values = [first[0]]
  while (scanner.match(/[ \t]*\|[ \t]*/y) !== undefined) {
    const value = scanner.match(WORD)
    if (value === undefined) throw scanner.refuse('a value is missing after |')
    values.push(value[0])
  }
  if (values.length > 1 || first[0].startsWith('"')) return { enum: values.map(plain) }
  const type = Object.hasOwn(TYPES, first[0]) ? TYPES[first[0]] : undefined
  if (type === undefined) throw scanner.refuse(`there is no type ${first[0]}`, at)
  return type
}

function plain(word: string): string {
  return word.startsWith('"') ? (JSON.parse(word) as string) : word
}
