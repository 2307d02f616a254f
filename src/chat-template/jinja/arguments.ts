/** What a call brings, by the names of its parameters. */
import { TemplateError } from './template-error.ts'
import type { Arguments, Value } from './values.ts'

/** The values of `names` in their order; `undefined` where one was left out. */
export function bind(
  { positional, named }: Arguments,
  owner: string,
  names: readonly string[],
): (Value | undefined)[] {
  if (positional.length > names.length)
    throw new TemplateError(`${owner}() takes at most ${names.length} arguments (${positional.length} given)`)
  for (const name of named.keys()) {
    const at = names.indexOf(name)
    if (at === -1) throw new TemplateError(`${owner}() got an unexpected keyword argument '${name}'`)
    if (at < positional.length)
      throw new TemplateError(`${owner}() got multiple values for argument '${name}'`)
  }
  return names.map((name, i) => (i < positional.length ? positional[i] : named.get(name)))
}

/** The argument that must be there. */
export function required(value: Value | undefined, owner: string, name: string): Value {
  if (value === undefined) throw new TemplateError(`${owner}() missing 1 required argument: '${name}'`)
  return value
}
