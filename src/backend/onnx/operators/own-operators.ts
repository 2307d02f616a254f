/** The operators of ours that a graph uses. */
import { productKind } from '../products/compute-code.ts'
import { operatorName, type ProductShape } from '../products/product-shape.ts'
import type { OperatorKind } from './operator-code.ts'

/** Each once. */
export interface OwnOperators {
  readonly products: readonly ProductShape[]
}

export function distinctOperators({ products }: OwnOperators): OwnOperators | undefined {
  return products.length > 0 ? { products: distinctBy(products, operatorName) } : undefined
}

function distinctBy<T>(list: readonly T[], nameOf: (each: T) => string): T[] {
  return [...new Map(list.map((each) => [nameOf(each), each])).values()]
}

export function kindsOf({ products }: OwnOperators): OperatorKind[] {
  return products.map(productKind)
}
