/** The operators of ours that a graph uses. */

import { type AttentionShape, attentionName } from '../attention/attention-shape.ts'
import { attentionKind } from '../attention/compute-code.ts'
import { productKind } from '../products/compute-code.ts'
import { operatorName, type ProductShape } from '../products/product-shape.ts'
import type { OperatorKind } from './operator-code.ts'

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
