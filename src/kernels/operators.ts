/** The operators of ours that a graph uses. */

import type { OperatorKind } from './abi/operator-code.ts'
import { attentionKind } from './attention/attention-operator.ts'
import { type AttentionShape, attentionName, isAttentionShape } from './attention/attention-shape.ts'
import { productKind } from './matmul/matmul-operator.ts'
import { isProductShape, operatorName, type ProductShape } from './matmul/matmul-shape.ts'
import { normKind } from './norm/norm-operator.ts'
import { isNormShape, type NormShape, normName } from './norm/norm-shape.ts'

/** Each once. */
export interface OwnOperators {
  readonly products: readonly ProductShape[]
  readonly attentions: readonly AttentionShape[]
  readonly norms: readonly NormShape[]
}

/**
 * The operators that a file says a graph has. Their shapes become machine code, so each is one there is code for.
 * @throws Error for anything else.
 */
export function parseOperators(value: unknown): OwnOperators {
  const { products, attentions, norms } = Object(value) as Record<string, unknown>
  if (!Array.isArray(products) || !products.every(isProductShape))
    throw new Error('operators: no such product')
  if (!Array.isArray(attentions) || !attentions.every(isAttentionShape))
    throw new Error('operators: no such attention')
  if (!Array.isArray(norms) || !norms.every(isNormShape)) throw new Error('operators: no such norm')
  return { products, attentions, norms }
}

/** `undefined` of none. */
export function distinctOperators({
  products = [],
  attentions = [],
  norms = [],
}: Partial<OwnOperators>): OwnOperators | undefined {
  if (products.length + attentions.length + norms.length === 0) return undefined
  return {
    products: distinctBy(products, operatorName),
    attentions: distinctBy(attentions, attentionName),
    norms: distinctBy(norms, normName),
  }
}

function distinctBy<T>(list: readonly T[], nameOf: (each: T) => string): T[] {
  return [...new Map(list.map((each) => [nameOf(each), each])).values()]
}

export function kindsOf({ products, attentions, norms }: OwnOperators): OperatorKind[] {
  return [...products.map(productKind), ...attentions.map(attentionKind), ...norms.map(normKind)]
}
