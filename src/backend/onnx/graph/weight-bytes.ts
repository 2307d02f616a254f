import { ELEMENT_BITS } from './fields.ts'
import type { GraphBody } from './graph.ts'

/** Bytes of all weights of a graph, of the types in `types` or of every type. */
export function weightBytes(
  { initializers }: Pick<GraphBody, 'initializers'>,
  types?: ReadonlySet<number>,
): number {
  let bits = 0
  for (const { type, dims } of initializers.values()) {
    if (types === undefined || types.has(type)) bits += dims.reduce((a, b) => a * b, ELEMENT_BITS[type] ?? 0)
  }
  return Math.ceil(bits / 8)
}
