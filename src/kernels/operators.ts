/** The operators of ours that a graph uses. */

import type { OperatorKind } from './abi/operator-code.ts'
import { attentionKind } from './attention/attention-operator.ts'
import { type AttentionShape, attentionName } from './attention/attention-shape.ts'
import { productKind } from './matmul/matmul-operator.ts'
import { operatorName, type ProductShape } from './matmul/matmul-shape.ts'

/** Each once. */
export interface OwnOperators {
  readonly products: readonly ProductShape[]
  readonly attentions: readonly AttentionShape[]
}

/** `undefined` of none. */
export function distinctOperators({ products, attentions }: OwnOperators): OwnOperators | undefined {
  if (products.length + attentions.length === 0) return undefined
  return {
    products: distinctBy(products, operatorName),
    attentions: distinctBy(attentions, attentionName),
  }
}

function distinctBy<T>(list: readonly T[], nameOf: (each: T) => string): T[] {
  return [...new Map(list.map((each) => [nameOf(each), each])).values()]
}

export function kindsOf({ products, attentions }: OwnOperators): OperatorKind[] {
  return [...products.map(productKind), ...attentions.map(attentionKind)]
}
