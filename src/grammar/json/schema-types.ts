/** A schema as a type in TypeScript: what a model reads with a third of the tokens. Bounds and patterns become comments. */
import { isArray, isObject, type Json, type JsonObject, parseJson } from './json-text.ts'
import { SchemaDocument, type Subschema } from './schema-document.ts'

/** @param schema the text of a schema. @throws SpoutError `usage` */
export function schemaAsTypes(schema: string): string {
  const writer = new TypeWriter(new SchemaDocument(parseJson(schema, 'schema')))
  return writer.write()
}

const PLAIN: Readonly<Record<string, string>> = {
  string: 'string',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  null: 'null',
  array: 'unknown[]',
  object: 'Record<string, unknown>',
}

/** Said in a comment behind a field. */
const REMARKS: readonly (readonly [string, string])[] = [
  ['minimum', 'at least'],
  ['exclusiveMinimum', 'more than'],
  ['maximum', 'at most'],
  ['exclusiveMaximum', 'less than'],
  ['multipleOf', 'a multiple of'],
  ['minLength', 'characters, at least'],
  ['maxLength', 'characters, at most'],
  ['minItems', 'items, at least'],
  ['maxItems', 'items, at most'],
  ['pattern', 'matches'],
  ['format', 'a'],
]

class TypeWriter {
  readonly #document: SchemaDocument
  /** The names of what `$ref` leads to. */
  readonly #names = new Map<number, string>()
  readonly #declarations: string[] = []

  constructor(document: SchemaDocument) {
    this.#document = document
  }

  write(): string {
    const main = this.#type(this.#document.root, '')
    return [...this.#declarations, `type Answer = ${main}`].join('\n')
  }

  #type(schema: Subschema, indent: string): string {
    const { value } = schema
    if (typeof value === 'boolean') return value ? 'unknown' : 'never'
    if (value.has('$ref')) return this.#named(this.#document.resolve(schema))
    if (value.has('const')) return literal(value.get('const')!)
    const list = value.get('enum')
    if (isArray(list)) return list.map(literal).join(' | ')
    const parts = this.#combined(schema, value, indent)
    const own = this.#own(schema, value, indent)
    const all = own === undefined ? parts : [own, ...parts]
    return all.length === 0 ? 'unknown' : all.join(' & ')
  }

  #named(target: Subschema): string {
    const known = this.#names.get(target.id)
    if (known !== undefined) return known
    const last = target.pointer.split('/').at(-1)!.replace(/\W/g, '')
    const base = /^[A-Za-z]/.test(last) ? last[0]!.toUpperCase() + last.slice(1) : 'Node'
    const taken = new Set(this.#names.values())
    let name = base
    for (let i = 2; taken.has(name) || name === 'Answer'; i++) name = `${base}${i}`
    this.#names.set(target.id, name)
    this.#declarations.push(`type ${name} = ${this.#type(target, '')}`)
    return name
  }

  /** `allOf`, `anyOf` and `oneOf`. */
  #combined(schema: Subschema, value: JsonObject, indent: string): string[] {
    const each = (keyword: string) => {
      const list = value.get(keyword)
      return isArray(list)
        ? list.map((_, i) => this.#type(this.#document.child(schema, keyword, i), indent))
        : []
    }
    const union = (types: readonly string[]) => (types.length === 0 ? [] : [`(${types.join(' | ')})`])
    return [...each('allOf'), ...union(each('anyOf')), ...union(each('oneOf'))]
  }

  #own(schema: Subschema, value: JsonObject, indent: string): string | undefined {
    const types = [value.get('type') ?? []].flat() as string[]
    if (value.has('properties') && (types.length === 0 || types.includes('object')))
      return this.#object(schema, value, indent)
    if (isArray(value.get('prefixItems'))) {
      const items = value.get('prefixItems') as readonly Json[]
      return `[${items.map((_, i) => this.#type(this.#document.child(schema, 'prefixItems', i), indent)).join(', ')}]`
    }
    const items = value.get('items')
    if (isObject(items) || typeof items === 'boolean') {
      const inner = this.#type(this.#document.child(schema, 'items'), indent)
      return /[|&]/.test(inner) && !inner.startsWith('{') ? `(${inner})[]` : `${inner}[]`
    }
    return types.length === 0 ? undefined : types.map((name) => PLAIN[name] ?? 'unknown').join(' | ')
  }

  #object(schema: Subschema, value: JsonObject, indent: string): string {
    const required = new Set([value.get('required') ?? []].flat())
    const deeper = `${indent}  `
    const fields = [...(value.get('properties') as JsonObject).keys()].map((key) => {
      const field = this.#document.child(schema, 'properties', key)
      const name = /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key)
      const type = this.#type(field, deeper)
      return `${deeper}${name}${required.has(key) ? '' : '?'}: ${type}${remark(field.value)}`
    })
    return fields.length === 0 ? '{}' : `{\n${fields.join('\n')}\n${indent}}`
  }
}

function remark(value: JsonObject | boolean): string {
  if (typeof value === 'boolean') return ''
  const description = value.get('description')
  const said = REMARKS.flatMap(([keyword, words]) => {
    const bound = value.get(keyword)
    return bound === undefined || typeof bound === 'boolean' ? [] : [`${words} ${String(bound)}`]
  })
  const texts = [...(typeof description === 'string' ? [description] : []), ...said]
  return texts.length === 0 ? '' : ` // ${texts.join('; ').replace(/\s+/g, ' ')}`
}

function literal(value: Json): string {
  if (isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (isObject(value))
    return `{ ${[...value].map(([key, inner]) => `${JSON.stringify(key)}: ${literal(inner)}`).join(', ')} }`
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
