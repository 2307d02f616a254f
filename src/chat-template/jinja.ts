/**
 * Chat templates as Python's Jinja runs them for transformers: `trim_blocks`, `lstrip_blocks`, loop controls, its `tojson`,
 * and a sandbox in which nothing but a namespace changes. A template is a program that came with the model: it runs here
 * step by step under a budget of steps and sizes, so that it can neither loop for ever nor fill the memory.
 */
import type { Clock } from './clock.ts'
import { createBudget, measureInput } from './jinja/budget.ts'
import { globalsOf } from './jinja/globals.ts'
import { namesIn } from './jinja/named-in.ts'
import { parseTemplate } from './jinja/parse-template.ts'
import { runTemplate } from './jinja/run-template.ts'
import { Scope } from './jinja/scope.ts'
import { Dict, type Value } from './jinja/values.ts'

export { TemplateError } from './jinja/template-error.ts'

export interface TemplateProgram {
  /** The variables that it looks up anywhere. */
  readonly names: ReadonlySet<string>
  /** @throws TemplateError of the template or of its budget; RangeError where it nests too deeply. */
  run(variables: Readonly<Record<string, unknown>>, clock?: Clock): string
}

/** Reads a template. @throws TemplateError */
export function compileTemplate(source: string): TemplateProgram {
  const body = parseTemplate(source)
  return {
    names: namesIn(body),
    run(variables, clock = { now: new Date(), utc: false }) {
      const budget = createBudget(source.length + measureInput(variables))
      const scope = new Scope()
      for (const [name, value] of globalsOf(clock, budget)) scope.set(name, value)
      for (const [name, value] of Object.entries(variables))
        if (value !== undefined) scope.set(name, toValue(value))
      return runTemplate(body, new Scope(scope), budget)
    },
  }
}

/** Plain data as a value. A number without a fraction is a whole one: JSON does not tell. */
function toValue(data: unknown): Value {
  if (typeof data === 'number') return Number.isInteger(data) ? BigInt(data) : data
  if (Array.isArray(data)) return data.map(toValue)
  if (typeof data !== 'object' || data === null)
    return typeof data === 'function' || data === undefined ? null : (data as Value)
  return new Dict(
    Object.entries(data)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, toValue(item)]),
  )
}
