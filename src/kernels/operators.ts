/** The operators of ours that a graph uses. */

import type { OperatorKind } from './abi/operator-code.ts'
import { attentionKind } from './attention/attention-operator.ts'
import { type AttentionShape, attentionName, isAttentionShape } from './attention/attention-shape.ts'
import { matmulKind } from './matmul/matmul-operator.ts'
import { isMatmulShape, type MatmulShape, operatorName } from './matmul/matmul-shape.ts'
import { normKind } from './norm/norm-operator.ts'
import { isNormShape, type NormShape, normName } from './norm/norm-shape.ts'

/** Each once. */
export interface OwnOperators {
  readonly matmuls: readonly MatmulShape[]
  readonly attentions: readonly AttentionShape[]
  readonly norms: readonly NormShape[]
}

/**
 * The operators that a file says a graph has. Their shapes become machine code, so each is one there is code for.
 * @throws Error for anything else.
 */
export function parseOperators(value: unknown): OwnOperators {
  const { matmuls, attentions, norms } = Object(value) as Record<string, unknown>
  if (!Array.isArray(matmuls) || !matmuls.every(isMatmulShape)) throw new Error('operators: no such matmul')
  if (!Array.isArray(attentions) || !attentions.every(isAttentionShape))
    throw new Error('operators: no such attention')
  if (!Array.isArray(norms) || !norms.every(isNormShape)) throw new Error('operators: no such norm')
  return { matmuls, attentions, norms }
}

/** `undefined` of none. */
export function distinctOperators({
  matmuls = [],
  attentions = [],
  norms = [],
}: Partial<OwnOperators>): OwnOperators | undefined {
  if (matmuls.length + attentions.length + norms.length === 0) return undefined
  return {
    matmuls: distinctBy(matmuls, operatorName),
    attentions: distinctBy(attentions, attentionName),
    norms: distinctBy(norms, normName),
  }
}

function distinctBy<T>(list: readonly T[], nameOf: (each: T) => string): T[] {
  return [...new Map(list.map((each) => [nameOf(each), each])).values()]
}

export function kindsOf({ matmuls, attentions, norms }: OwnOperators): OperatorKind[] {
  return [...matmuls.map(matmulKind), ...attentions.map(attentionKind), ...norms.map(normKind)]
}

/** By name: what tells one graph from another as far as they are ours. */
export function operatorNames(operators: OwnOperators | undefined): string[] {
  return operators === undefined ? [] : kindsOf(operators).map(({ name }) => name)
}
