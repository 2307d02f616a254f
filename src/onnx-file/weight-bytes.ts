import { ELEMENT_BITS } from './fields.ts'
import type { GraphBody } from './graph.ts'
import type { TensorFacts } from './tensor-parts.ts'

/** Bytes of all weights of a graph, of the types in `types` or of every type. */
export function weightBytes(
  { initializers }: Pick<GraphBody, 'initializers'>,
  types?: ReadonlySet<number>,
): number {
  let bytes = 0
  for (const facts of initializers.values()) {
    if (types === undefined || types.has(facts.type)) bytes += tensorBytes(facts)
  }
  return Math.ceil(bytes)
}

/** Bytes of one weight; not a whole number where its elements are smaller than a byte. */
export function tensorBytes({ type, dims }: TensorFacts): number {
  return dims.reduce((a, b) => a * b, ELEMENT_BITS[type] ?? 0) / 8
}
