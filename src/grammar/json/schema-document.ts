/**
 * A schema with its names: what `$ref` leads to, and the keywords as the newest draft spells them. A subschema is known by a
 * number, so that sets of them can be compared.
 */
import { refuse } from '../regex/refuse.ts'
import { isArray, isObject, type Json, type JsonObject } from './json-text.ts'

type SchemaId = number

export interface Subschema {
  readonly id: SchemaId
  readonly value: JsonObject | boolean
  readonly pointer: string
  /** The address that its references are relative to. */
  readonly base: string
}

/** `$ref` stands alone, its neighbours mean nothing: drafts up to 7. */
type Draft = 'draft-04' | 'draft-07' | '2019-09' | '2020-12'

const ROOT = 'spout:///schema'
const VALUES = new Set(['const', 'enum', 'default', 'examples'])
const MOST_SUBSCHEMAS = 400_000

export class SchemaDocument {
  readonly root: Subschema
  readonly draft: Draft
  readonly #subschemas: Subschema[] = []
  readonly #byValue = new Map<JsonObject, Subschema>()
  readonly #byPlace = new Map<string, Subschema>()
  /** Addresses with their `$id` or anchor; `false` for one that is given twice. */
  readonly #named = new Map<string, JsonObject>()
  readonly #pointers = new Map<JsonObject, { pointer: string; base: string }>()
  readonly #dynamic = new Map<string, JsonObject[]>()

  constructor(schema: Json) {
    if (!isObject(schema) && typeof schema !== 'boolean')
      throw refuse('schema', 'a schema is an object, true or false')
    this.draft = isObject(schema) ? draftOf(schema) : '2020-12'
    if (isObject(schema)) this.#index(schema)
    this.root = this.#add(schema, '', ROOT)
  }

  get(id: SchemaId): Subschema {
    return this.#subschemas[id]!
  }

  get ignoresSiblings(): boolean {
    return this.draft === 'draft-07' || this.draft === 'draft-04'
  }

  /** A schema within another. */
  child(parent: Subschema, ...path: readonly (string | number)[]): Subschema {
    let value: Json | undefined = parent.value
    for (const step of path)
      value = isArray(value) ? value[Number(step)] : isObject(value) ? value.get(String(step)) : undefined
    const pointer = path.reduce<string>((to, step) => `${to}/${escapeStep(String(step))}`, parent.pointer)
    if (typeof value !== 'boolean' && !isObject(value))
      throw refuse(`schema: ${pointer}`, 'a schema is an object, true or false')
    return this.#add(value, pointer, parent.base)
  }

  /** A schema that stands nowhere: what another means in other words. */
  made(value: JsonObject | boolean, { pointer, base }: Subschema): Subschema {
    return this.#add(value, pointer, base)
  }

  /** What `$ref` leads to. @throws SpoutError `usage` when it is not in the document. */
  resolve(from: Subschema, keyword = '$ref'): Subschema {
    const where = `schema: ${from.pointer}/${keyword}`
    const ref = (from.value as JsonObject).get(keyword)
    if (typeof ref !== 'string') throw refuse(where, 'a reference is a string')
    const url = this.#url(ref, from.base, where)
    const fragment = url.hash.slice(1)
    url.hash = ''
    const resource = this.#named.get(url.href)
    const named = this.#named.get(`${url.href}#${fragment}`)
    if (named !== undefined) return this.#of(named)
    if (resource === undefined)
      throw refuse(
        where,
        `${JSON.stringify(ref)} is not in this schema`,
        'put the schema it names under $defs',
      )
    if (fragment === '') return this.#of(resource)
    if (!fragment.startsWith('/')) throw refuse(where, `there is no anchor ${JSON.stringify(ref)}`)
    return this.#follow(resource, fragment, where)
  }

  /** `$dynamicRef` where it can only mean one schema. */
  resolveDynamic(from: Subschema): Subschema {
    const target = this.resolve(from, '$dynamicRef')
    const ref = String((from.value as JsonObject).get('$dynamicRef'))
    const anchor = isObject(target.value) ? target.value.get('$dynamicAnchor') : undefined
    const isDynamic = typeof anchor === 'string' && ref.endsWith(`#${anchor}`)
    if (isDynamic && this.#dynamic.get(anchor)!.length > 1)
      throw refuse(
        `schema: ${from.pointer}/$dynamicRef`,
        'what it means depends on the way to it: not supported',
      )
    return target
  }

  #follow(resource: JsonObject, fragment: string, where: string): Subschema {
    let value: Json | undefined = resource
    let base = this.#pointers.get(resource)!.base
    let pointer = this.#pointers.get(resource)!.pointer
    for (const step of fragment.slice(1).split('/')) {
      const key = unescapeStep(step, where)
      value = isArray(value) ? value[Number(key)] : isObject(value) ? value.get(key) : undefined
      pointer += `/${escapeStep(key)}`
      if (isObject(value)) base = this.#pointers.get(value)?.base ?? base
    }
    if (!isObject(value) && typeof value !== 'boolean')
      throw refuse(where, `#${fragment} is not in this schema`)
    return this.#add(value, pointer, base)
  }

  #of(value: JsonObject): Subschema {
    const { pointer, base } = this.#pointers.get(value)!
    return this.#add(value, pointer, base)
  }

  #add(value: JsonObject | boolean, pointer: string, base: string): Subschema {
    const known = typeof value === 'boolean' ? this.#byPlace.get(`${value}`) : this.#byValue.get(value)
    if (known !== undefined) return known
    const place = typeof value === 'boolean' ? undefined : this.#pointers.get(value)
    const added = {
      id: this.#subschemas.length,
      value,
      pointer: place?.pointer ?? pointer,
      base: place?.base ?? base,
    }
    if (added.id > MOST_SUBSCHEMAS) throw refuse('schema', 'it has too many parts')
    this.#subschemas.push(added)
    if (typeof value === 'boolean') this.#byPlace.set(`${value}`, added)
    else this.#byValue.set(value, added)
    return added
  }

  /** Goes through all objects but values, for `$id`, anchors and pointers. */
  #index(root: JsonObject): void {
    this.#named.set(ROOT, root)
    const open: { value: Json; pointer: string; base: string; isMap: boolean }[] = [
      { value: root, pointer: '', base: ROOT, isMap: false },
    ]
    for (let each = open.pop(); each !== undefined; each = open.pop()) {
      const { value, pointer, isMap } = each
      let { base } = each
      if (isArray(value))
        for (const [i, item] of value.entries())
          open.push({ value: item, pointer: `${pointer}/${i}`, base, isMap: false })
      if (!isObject(value)) continue
      if (!isMap) base = this.#name(value, base, pointer)
      this.#pointers.set(value, { pointer, base })
      for (const [key, inner] of value) {
        if (!isMap && VALUES.has(key)) continue
        const inside = isMap ? false : MAPS.has(key)
        open.push({ value: inner, pointer: `${pointer}/${escapeStep(key)}`, base, isMap: inside })
      }
    }
  }

  /** @returns the address that holds within. */
  #name(schema: JsonObject, outer: string, pointer: string): string {
    let base = outer
    const id = schema.get('$id') ?? (this.draft === 'draft-04' ? schema.get('id') : undefined)
    const hidden = this.ignoresSiblings && schema.has('$ref')
    if (typeof id === 'string' && !hidden) {
      const url = this.#url(id, outer, `schema: ${pointer}/$id`)
      const fragment = url.hash.slice(1)
      url.hash = ''
      if (fragment === '') {
        base = url.href
        this.#named.set(base, schema)
      } else this.#named.set(`${url.href}#${fragment}`, schema)
    }
    for (const keyword of ['$anchor', '$dynamicAnchor']) {
      const anchor = schema.get(keyword)
      if (typeof anchor !== 'string') continue
      this.#named.set(`${base}#${anchor}`, schema)
      if (keyword === '$dynamicAnchor')
        this.#dynamic.set(anchor, [...(this.#dynamic.get(anchor) ?? []), schema])
    }
    return base
  }

  #url(ref: string, base: string, where: string): URL {
    try {
      return new URL(ref, base)
    } catch {
      throw refuse(where, `${JSON.stringify(ref)} is no address`)
    }
  }
}

/** Keywords whose value is a map of names, not a schema. */
const MAPS = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies',
])

function draftOf(schema: JsonObject): Draft {
  const named = schema.get('$schema')
  if (named === undefined) return '2020-12'
  const found =
    /^https?:\/\/json-schema\.org\/(?:draft[-/])?(?:(draft-)?0?([3-7])|(2019-09|2020-12))?\/?(?:schema)?#?$/.exec(
      String(named),
    )
  if (found === null)
    throw refuse('schema: /$schema', `${JSON.stringify(named)} is not a draft that is known`, 'remove it')
  if (found[3] !== undefined) return found[3] as Draft
  if (found[2] === undefined) return '2020-12'
  return Number(found[2]) > 4 ? 'draft-07' : 'draft-04'
}

function escapeStep(step: string): string {
  return step.replaceAll('~', '~0').replaceAll('/', '~1')
}

function unescapeStep(step: string, where: string): string {
  try {
    return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    throw refuse(where, 'a reference with a wrong % escape')
  }
}
