/**
 * A schema without what cannot be enforced: keyword by keyword it is left out, until the rest can be. What was left out is for a
 * check of the finished document.
 */
import { SpoutError } from '../../errors.ts'
import { Regexes } from '../regex/regexes.ts'
import { compileSchema, type SchemaOptions } from './compile-schema.ts'
import { isArray, isObject, type Json, type JsonObject, parseJson } from './json-text.ts'
import { writeCompact } from './write-grammar.ts'

interface LenientSchema {
  readonly schema: string
  /** What was left out, with its pointer and why. */
  readonly leftOut: readonly string[]
}

const MOST_LEFT_OUT = 100

/** @throws SpoutError as `compileSchema` does, for what leaving out one keyword does not mend. */
export function withoutRefused(schema: string, options: SchemaOptions = {}): LenientSchema {
  const leftOut: string[] = []
  let text = schema
  for (;;) {
    const refused = refusalOf(text, options)
    if (refused === undefined) return { schema: text, leftOut }
    const shorter = leftOut.length < MOST_LEFT_OUT ? without(parseJson(text, 'schema'), refused) : undefined
    if (shorter === undefined) throw refused
    leftOut.push(refused.message.replace(/^schema: /, ''))
    text = writeCompact(shorter)
  }
}

function refusalOf(text: string, options: SchemaOptions): SpoutError | undefined {
  try {
    compileSchema(new Regexes(), text, options)
    return undefined
  } catch (error) {
    if (error instanceof SpoutError && error.code === 'usage') return error
    throw error
  }
}

/** `undefined` where the refusal names no keyword, or a reference: what that stands for is not known. */
function without(schema: Json, { message }: SpoutError): Json | undefined {
  const pointer = /^schema: ((?:\/[^/:]*)+):/.exec(message)?.[1]
  if (pointer === undefined || /\/\$(?:dynamicR|r)ef$/.test(pointer)) return undefined
  const path = pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  let at: Json | undefined = schema
  for (const step of path.slice(0, -1))
    at = isArray(at) ? at[Number(step)] : isObject(at) ? at.get(step) : undefined
  if (!isObject(at) || !at.has(path.at(-1)!)) return undefined
  ;(at as Map<string, Json> & JsonObject).delete(path.at(-1)!)
  return schema
}
