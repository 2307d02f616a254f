/** What the flags say of the structure of an answer, read and checked before anything is loaded. */
import { existsSync } from 'node:fs'
import { type StructureRequest, structureRequest } from '../engine/structure-request.ts'
import { SpoutError } from '../errors.ts'
import { withoutRefused } from '../grammar/json/lenient.ts'
import { readFields } from '../grammar/notations/fields.ts'
import { checkStructure, notationOf, type Structure } from '../grammar/structure.ts'
import type { Options } from './options.ts'
import { readAllOfStdin, readText } from './prompt-source.ts'

interface GivenStructure {
  readonly request: StructureRequest
  /** What was taken for what, for `--verbose`. */
  readonly note: string
  /** What `--schema-lenient` leaves out. */
  readonly leftOut: readonly string[]
}

/** Of flags that say something of one. @throws SpoutError `usage` with the place in it, `not-found` for a file, `data` when it is too large. */
export async function structureFromFlags(options: Options): Promise<GivenStructure> {
  const { of, note } = await readStructure(options)
  const { of: enforced, check, leftOut } = lenient(of, options)
  const request = structureRequest({
    of: enforced,
    ...(check !== undefined && { check }),
    prompt: options.schemaPrompt,
    onLimit: options.onLimit,
    jump: options.jump,
  })
  checkStructure(request.of)
  return { request, note, leftOut }
}

/** With `--schema-lenient`, a schema without what cannot be enforced, and the whole of it to be checked. */
function lenient(of: Structure, { schemaLenient }: Options) {
  if (!schemaLenient || of.kind !== 'schema') return { of, check: undefined, leftOut: [] }
  const { schema, leftOut } = withoutRefused(of.schema, { closed: true, ...of.options })
  return { of: { ...of, schema }, check: leftOut.length === 0 ? undefined : of.schema, leftOut }
}

interface Read {
  readonly of: Structure
  readonly note: string
}

async function readStructure(options: Options): Promise<Read> {
  const { schema, items, format, choice, regex, grammar, jsonStyle, openObjects } = options
  const json = { ...(jsonStyle && { style: jsonStyle }), ...(openObjects && { closed: false }) }
  if (schema !== undefined) {
    const { text, ...read } = await readSchema('--schema', schema)
    return { of: { kind: 'schema', schema: text, options: json }, ...read }
  }
  if (items !== undefined) {
    const { text, ...read } = await readSchema('--items', items)
    const { minItems: min, maxItems: max } = options
    const counts = { ...(min !== undefined && { min }), ...(max !== undefined && { max }) }
    return { of: { kind: 'items', schema: text, ...counts, options: json }, ...read }
  }
  if (format !== undefined) return { of: { kind: format, options: json }, note: `--format: any ${format}` }
  if (choice !== undefined)
    return { of: { kind: 'choice', choices: choice }, note: `--choice: one of ${choice.length}` }
  if (regex !== undefined) return { of: { kind: 'regex', regex }, note: '--regex: an expression' }
  return readGrammar(grammar ?? '', options)
}

interface ReadText {
  readonly text: string
  readonly note: string
}

/** Fields unless it is JSON, or names a file. */
async function readSchema(flag: string, given: string): Promise<ReadText> {
  if (given === '-') {
    const text = await readAllOfStdin('schema')
    return { ...schemaText(text), note: `${flag}: from stdin` }
  }
  const path = given.startsWith('@') ? given.slice(1) : given
  const isFile = path !== given || /\.json$/i.test(given) || (isOneWord(given) && existsSync(given))
  if (isFile) {
    const text = await readText(path)
    return { ...schemaText(text), note: `${flag}: the file ${path}` }
  }
  const { text, isFields } = schemaText(given)
  return { text, note: isFields ? `${flag}: fields` : `${flag}: a JSON Schema` }
}

function isOneWord(text: string): boolean {
  return /^\S+$/.test(text)
}

function schemaText(given: string): { readonly text: string; readonly isFields: boolean } {
  const isFields = !/^\s*(?:\{|(?:true|false)\s*$)/.test(given)
  return { text: isFields ? JSON.stringify(readFields(given)) : given, isFields }
}

async function readGrammar(given: string, { grammarFormat }: Options): Promise<Read> {
  const path = given.startsWith('@') ? given.slice(1) : undefined
  const text = path === undefined ? given : await readText(path)
  if (text.trim() === '') throw new SpoutError('usage', 'grammar: it is empty')
  const notation = grammarFormat ?? notationOf(text, path)
  return { of: { kind: 'grammar', text, notation }, note: `--grammar: ${NAMES[notation]}` }
}

const NAMES = { gbnf: 'GBNF', lark: 'Lark', ebnf: 'EBNF' }
