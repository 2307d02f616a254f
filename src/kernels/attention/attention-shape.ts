/**
 * Attention that we compute ourselves, over rows of many sequences at once, and how their keys and values lie: in pages of 128
 * tokens each, wherever there is room, which a table names in their order. A page holds, of each layer one after the other,
 *
 *   [kvHeads] keys    128 / 16 blocks of headDim × 16 keys: lanes are keys, so that no sum is taken across lanes
 *             values  128 rows of headDim
 *
 * The query heads that share keys and values (a group) are computed together, several rows of a sequence at once: each key and
 * each value is read once for up to `tileQueries` of them.
 */

import type { Isa } from '../isa.ts'
import { floatBits } from '../numerics/exp.ts'

export interface AttentionShape {
  readonly heads: number
  /** Divides `heads`. */
  readonly kvHeads: number
  /** A multiple of 16; of 32 where it is rotated. At most `MOST_HEAD_DIM`. */
  readonly headDim: number
  /** Of the scores before softmax, in fp32. */
  readonly scale: number
  /** Query, key and value are columns of one input, in this order; else three inputs. */
  readonly isPacked: boolean
  /** Queries and keys are rotated by their position (RoPE): halves of a head against each other. */
  readonly isRotated: boolean
}

export const MOST_HEAD_DIM = 256
/** Query heads for a head of keys: more would be much code. */
const MOST_GROUP = 64
/** Numbers of a row of queries, keys and values: the code counts in 32 bits. */
const MOST_WIDTH = 1 << 22

/** Whether there is code for attention of this shape: any other would read or write beyond its memory. */
export function isAttentionShape(value: unknown): value is AttentionShape {
  const shape = Object(value) as Record<keyof AttentionShape, unknown>
  const { heads, kvHeads, headDim, scale, isPacked, isRotated } = shape
  if (![heads, kvHeads, headDim].every((size) => Number.isInteger(size) && (size as number) > 0)) return false
  const { heads: h, kvHeads: kv, headDim: size } = shape as AttentionShape
  const areFlags = typeof isPacked === 'boolean' && typeof isRotated === 'boolean'
  const isScale = Number.isFinite(scale) && Math.fround(scale as number) === scale
  const isGrouped = h % kv === 0 && h / kv <= MOST_GROUP && (h + 2 * kv) * size <= MOST_WIDTH
  return areFlags && isScale && isGrouped && size <= MOST_HEAD_DIM && size % (isRotated ? 32 : 16) === 0
}

/** Keys of a block. */
export const KEY_BLOCK = 16
/** Keys whose scores are computed and summed up together, those of a page; what became of such segments is merged in their order. */
export const SEGMENT = 128
/** Queries of a tile: with four vectors of sums each 7 fill 28 of 32 vectors; with one each 6 fill 6 of 7. */
export const tileQueries = (isa: Isa): number => (isa === 'avx512-vnni' ? 7 : 6)

/** Query heads for each head of keys and values. */
export const groupOf = ({ heads, kvHeads }: AttentionShape): number => heads / kvHeads
/** Keys and values of a head in a page: values begin halfway. */
export const headPageBytes = (shape: AttentionShape): number => 2 * SEGMENT * headBytes(shape)
/** What one layer takes of a page. */
export const layerPageBytes = (shape: AttentionShape): number => shape.kvHeads * headPageBytes(shape)
export const headBytes = ({ headDim }: AttentionShape): number => 4 * headDim

/** Of the operator that computes this attention. */
export function attentionName({ heads, kvHeads, headDim, scale, ...shape }: AttentionShape): string {
  const bits = floatBits(scale).toString(16)
  return `Attention${shape.isPacked ? '_packed' : ''}${shape.isRotated ? '_rotated' : ''}_${heads}_${kvHeads}x${headDim}_${bits}`
}

/**
 * A softmax partial, what a segment makes of a query: the sum of the values, each times e to its score less the largest; the largest score; the sum
 * of these powers. The last two stand in all lanes of a vector.
 */
export const largestOffset = headBytes
export const sumOffset = (shape: AttentionShape): number => headBytes(shape) + 64
export const partialBytes = (shape: AttentionShape): number => headBytes(shape) + 128
