/** The operators of ours that a graph uses. */

import type { OperatorKind } from './abi/operator-code.ts'
import { attentionKind } from './attention/attention-operator.ts'
import { type AttentionShape, attentionName } from './attention/attention-shape.ts'
import { productKind } from './matmul/matmul-operator.ts'
import { operatorName, type ProductShape } from './matmul/matmul-shape.ts'
import { normKind } from './norm/norm-operator.ts'
import { type NormShape, normName } from './norm/norm-shape.ts'

/** Each once. */
export interface OwnOperators {
  readonly products: readonly ProductShape[]
  readonly attentions: readonly AttentionShape[]
  readonly norms: readonly NormShape[]
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
