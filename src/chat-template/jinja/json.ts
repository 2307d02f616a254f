/** `tojson`, which the reference takes from Python's `json.dumps`, with `ensure_ascii` off. */
import type { Budget } from './budget.ts'
import { compareTexts } from './characters.ts'
import { TemplateError } from './template-error.ts'
import { Dict, listed, refuseUndefined, Sequence, typeName, type Value } from './values.ts'
import { floatText } from './write.ts'

interface JsonOptions {
  /** What a level is indented by; `undefined` for all on one line. */
  readonly indent: string | undefined
  readonly separators: readonly [item: string, key: string]
  readonly ensureAscii: boolean
  readonly sortKeys: boolean
}

export function toJson(value: Value, options: JsonOptions, budget: Budget): string {
  return new JsonWriter(options, budget).write(value, 0)
}

class JsonWriter {
  readonly #options: JsonOptions
  readonly #budget: Budget

  constructor(options: JsonOptions, budget: Budget) {
    this.#options = options
    this.#budget = budget
  }

  write(value: Value, depth: number): string {
    const text = this.#text(value, depth)
    this.#budget.spend(1)
    this.#budget.text(text.length)
    return text
  }

  #text(value: Value, depth: number): string {
    if (value === null) return 'null'
    if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
    if (typeof value === 'number') return jsonFloat(value)
    if (typeof value === 'string') return this.#quoted(value)
    if (value instanceof Dict) return this.#joined('{}', this.#entries(value, depth + 1), depth)
    const items = value instanceof Sequence && value.kind !== 'generator' ? undefined : listed(value)
    refuseUndefined(value)
    if (items === undefined)
      throw new TemplateError(`Object of type ${typeName(value)} is not JSON serializable`)
    return this.#joined(
      '[]',
      items.map((item) => this.write(item, depth + 1)),
      depth,
    )
  }

  #entries(dict: Dict, depth: number): string[] {
    const entries = dict.entries().map(([key, value]) => [keyText(key), value] as const)
    if (this.#options.sortKeys) entries.sort(([a], [b]) => compareTexts(a, b))
    return entries.map(
      ([key, value]) => this.#quoted(key) + this.#options.separators[1] + this.write(value, depth),
    )
  }

  #joined([open, close]: string, parts: readonly string[], depth: number): string {
    const { indent, separators } = this.#options
    if (indent === undefined || parts.length === 0) return open + parts.join(separators[0]) + close
    this.#budget.text(indent.length * (depth + 1) * (parts.length + 1))
    const line = `\n${indent.repeat(depth + 1)}`
    return `${open}${line}${parts.join(separators[0] + line)}\n${indent.repeat(depth)}${close}`
  }

  #quoted(text: string): string {
    this.#budget.text(text.length)
    const json = JSON.stringify(text)
    if (!this.#options.ensureAscii) return json
    return json.replace(/[\x7f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
  }
}

function jsonFloat(value: number): string {
  if (Number.isFinite(value)) return floatText(value)
  return Number.isNaN(value) ? 'NaN' : value < 0 ? '-Infinity' : 'Infinity'
}

function keyText(key: Value): string {
  if (typeof key === 'string') return key
  if (key === null) return 'null'
  if (typeof key === 'number') return jsonFloat(key)
  if (typeof key === 'bigint' || typeof key === 'boolean') return String(key)
  throw new TemplateError(`keys must be str, int, float, bool or None, not ${typeName(key)}`)
}
