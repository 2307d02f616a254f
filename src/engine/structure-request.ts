/** What an answer must satisfy, as plain data; also in the shapes that others use for it. */
import { SpoutError } from '../errors.ts'
import type { SchemaOptions } from '../grammar/json/compile-schema.ts'
import type { Notation, Structure } from '../grammar/structure.ts'

export interface StructureRequest {
  readonly of: Structure
  /** What a chat model is told of it, in its system message: the schema, its type in TypeScript, or nothing. Default `auto`. */
  readonly prompt?: 'auto' | 'none' | 'types' | undefined
  /** What happens near the limit of tokens: the answer stays incomplete, or is brought to an end in time. Default `fail`. */
  readonly onLimit?: 'fail' | 'close' | undefined
  /** What must come is run ahead, where that changes no bit. Default `auto`. */
  readonly jump?: 'auto' | 'off' | undefined
  /** A schema that the finished answer is to satisfy, more than `of` holds it to: for whoever asked to check (`satisfies`). */
  readonly check?: string | undefined
}

/** As a program writes it: a schema may be a value, and a structure may stand alone. */
export type StructureInput =
  | StructureRequest
  | (Omit<StructureRequest, 'of'> & { readonly of: LooseStructure })

export type LooseStructure =
  | { readonly kind: 'schema'; readonly schema: unknown; readonly options?: SchemaOptions }
  | {
      readonly kind: 'items'
      readonly schema: unknown
      readonly min?: number
      readonly max?: number
      readonly options?: SchemaOptions
    }
  | { readonly kind: 'json' | 'object' | 'array'; readonly options?: SchemaOptions }
  | { readonly kind: 'regex'; readonly regex: string }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'grammar'; readonly text: string; readonly notation: Notation }

/**
 * Schemas as text. An object takes no keys but those it names, unless it says otherwise: models invent fewer then. A structure
 * that is so already stays the same object: what has been made of it is found again by it.
 */
export function structureRequest({ of, ...rest }: StructureInput): StructureRequest {
  return { ...rest, of: withClosed(withText(of)) }
}

function withText(of: Structure | LooseStructure): Structure {
  if ((of.kind !== 'schema' && of.kind !== 'items') || typeof of.schema === 'string') return of as Structure
  const schema: string | undefined = JSON.stringify(of.schema)
  if (schema === undefined) throw new SpoutError('usage', 'schema: none is given')
  return { ...of, schema }
}

function withClosed(structure: Structure): Structure {
  if (!isJson(structure) || structure.options?.closed !== undefined) return structure
  return { ...structure, options: { ...structure.options, closed: true } }
}

/** Structures whose texts are JSON, as a whole or line by line. */
export function isJson(
  structure: Structure,
): structure is Extract<Structure, { readonly options?: SchemaOptions }> {
  return !['regex', 'choice', 'grammar', 'calls'].includes(structure.kind)
}

/**
 * The `response_format` of a chat completion: `text`, `json_object`, or `json_schema` with its schema in `json_schema.schema`
 * (in the responses API beside it).
 * @returns `undefined` for plain text.
 * @throws SpoutError `usage` naming what is wrong with it.
 */
export function structureOfResponseFormat(format: unknown): StructureRequest | undefined {
  if (format === undefined || format === null) return undefined
  const { type, json_schema: named, ...flat } = asObject(format, 'response_format')
  if (type === 'text') return undefined
  if (type === 'json_object') return structureRequest({ of: { kind: 'object' } })
  if (type !== 'json_schema')
    throw new SpoutError(
      'usage',
      `response_format: type ${JSON.stringify(type)} is not text, json_object or json_schema`,
    )
  const { schema } = named === undefined ? flat : asObject(named, 'response_format.json_schema')
  if (schema === undefined) throw new SpoutError('usage', 'response_format: json_schema.schema is missing')
  return structureRequest({ of: { kind: 'schema', schema } })
}

export function asObject(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>
  throw new SpoutError('usage', `${name}: it is not an object`)
}
