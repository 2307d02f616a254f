/** Whether a text satisfies a structure, and where it does not: without a vocabulary, and so without a model. */
import { type Json, parseJson } from './json/json-text.ts'
import { SchemaDocument } from './json/schema-document.ts'
import { Validator } from './json/validate.ts'
import { Automaton, DEAD, type Place } from './parser/automaton.ts'
import { checkStructure, type Structure } from './structure.ts'
import { forcedBytes } from './vocabulary/forced.ts'

interface TextCheck {
  /** It is a text that an answer could be. */
  readonly isWritten: boolean
  /** It satisfies the schema, though an answer would be written otherwise: other spaces, another order of keys. */
  readonly isValid: boolean
  /** The first byte that does not fit; the length of the text where it only lacks its end. */
  readonly at: number
  /** What could stand there, as far as that is little. */
  readonly expected: readonly string[]
}

/** One line break at the end of a text is no part of it. @throws SpoutError as `compileStructure` does. */
export function checkText(structure: Structure, bytes: Uint8Array): TextCheck {
  const { rules, start } = checkStructure(structure)
  const automaton = new Automaton(rules, start)
  const { place, at } = follow(automaton, bytes)
  const isWritten = at === bytes.length && automaton.isComplete(place)
  const isValid = isWritten || satisfies(structure, new TextDecoder().decode(bytes))
  return { isWritten, isValid, at, expected: isWritten ? [] : expectedAt(automaton, place) }
}

function follow(automaton: Automaton, bytes: Uint8Array): { place: Place; at: number } {
  let place = automaton.start()
  let at = 0
  for (; at < bytes.length; at++) {
    const next = automaton.next(place, bytes[at]!)
    if (next === DEAD) break
    place = next
  }
  return { place, at }
}

const MOST_EXPECTED = 12

function expectedAt(automaton: Automaton, place: Place): string[] {
  const found = Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => automaton.next(place, byte) !== DEAD,
  )
  const end = automaton.isComplete(place) ? ['the end'] : []
  if (found.length > MOST_EXPECTED) return [...end, 'text']
  if (found.length === 1)
    return [
      ...end,
      JSON.stringify(
        new TextDecoder().decode(Uint8Array.from(forcedBytes(automaton, place).bytes.slice(0, 40))),
      ),
    ]
  return [
    ...end,
    ...found.map((byte) =>
      byte < 0x80 ? JSON.stringify(String.fromCharCode(byte)) : `0x${byte.toString(16)}`,
    ),
  ]
}

/** Any JSON that the schema is satisfied by; of items, each line. */
export function satisfies(structure: Structure, text: string): boolean {
  switch (structure.kind) {
    case 'schema':
      return isValidJson(structure.schema, text)
    case 'items': {
      const lines = text.split('\n').filter((line) => line.trim() !== '')
      const { min = 0, max = Number.POSITIVE_INFINITY } = structure
      return (
        lines.length >= min &&
        lines.length <= max &&
        lines.every((line) => isValidJson(structure.schema, line))
      )
    }
    case 'json':
      return readValue(text) !== undefined
    case 'object':
      return readValue(text) instanceof Map
    case 'array':
      return Array.isArray(readValue(text))
    default:
      return false
  }
}

function isValidJson(schema: string, text: string): boolean {
  const value = readValue(text)
  if (value === undefined) return false
  const document = new SchemaDocument(parseJson(schema, 'schema'))
  return new Validator(document).isValid(value, document.root)
}

function readValue(text: string): Json | undefined {
  try {
    return parseJson(text, 'text')
  } catch {
    return undefined
  }
}

/** What every text of a structure begins with. */
export function forcedStart(structure: Structure): string {
  const { rules, start } = checkStructure(structure)
  const automaton = new Automaton(rules, start)
  return new TextDecoder().decode(Uint8Array.from(forcedBytes(automaton, automaton.start()).bytes))
}
