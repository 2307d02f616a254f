/**
 * Matmuls of quantized weights that we compute ourselves, and how their weights lie. The weights of 16 columns are a panel:
 *
 *   codes   [K / 32] blocks of 16 columns × 32 rows
 *   scales  [K / 32] blocks of 16 numbers
 *   zeros   [K / 32] blocks of 16 bytes, where there are zero points
 *
 * and panels follow one another. A block is 4 or 8 vectors of 64 bytes, each with four bytes for every column: what four bytes of
 * a column are in MatMulNBits, so laying weights out moves words of 32 bits and no more. A byte of 4-bit codes has the even row
 * below and the odd one above it. Of a SwiGLU, panels of gate and up stand by turns, gate first.
 */

import type { Isa } from '../isa.ts'

export interface MatmulShape {
  /** Size of the input; a multiple of 32. */
  readonly k: number
  /** Size of the output; a multiple of 16. */
  readonly n: number
  /** Of a code, 4 or 8. */
  readonly bits: number
  /** Of a scale: 4, or 2 where all of them are the same in fp16. */
  readonly scaleBytes: number
  /** Every block of a column has a zero point of its own; else it is half of what the bits count. */
  readonly hasZeros?: boolean
  /** Two matmuls of `n` columns each, gate and up, of which the output is gate / (1 + e^-gate) · up. */
  readonly isSwiglu?: boolean
}

/** Of input and output: the code counts in 32 bits. */
const MOST_SIZE = 1 << 22

/** Whether there is code for a matmul of this shape: any other would read or write beyond its memory. */
export function isMatmulShape(value: unknown): value is MatmulShape {
  const { k, n, bits, scaleBytes, isSwiglu, hasZeros } = Object(value) as Record<string, unknown>
  return (
    isSize(k, BLOCK) &&
    isSize(n, PANEL_COLUMNS) &&
    (bits === 4 || bits === 8) &&
    (scaleBytes === 2 || scaleBytes === 4) &&
    [isSwiglu, hasZeros].every((flag) => flag === undefined || typeof flag === 'boolean') &&
    (isSwiglu ? 2 : 1) * n <= MOST_SIZE
  )
}

function isSize(value: unknown, unit: number): value is number {
  return (
    Number.isInteger(value) &&
    (value as number) > 0 &&
    (value as number) <= MOST_SIZE &&
    (value as number) % unit === 0
  )
}

/** Rows of weights that share a scale, and numbers of the input that are rounded together. */
export const BLOCK = 32
export const PANEL_COLUMNS = 16
/** Groups of four rows in a block: what one instruction adds up. */
export const GROUPS = 8
export const VECTOR_BYTES = 64

export const blocksOf = ({ k }: MatmulShape): number => k / BLOCK
/** Panels that 16 columns of the output are made of. */
export const turnPanels = ({ isSwiglu = false }: MatmulShape): number => (isSwiglu ? 2 : 1)
export const panelsOf = (shape: MatmulShape): number => (turnPanels(shape) * shape.n) / PANEL_COLUMNS
export const blockCodeBytes = ({ bits }: MatmulShape): number => bits * VECTOR_BYTES
export const blockScaleBytes = ({ scaleBytes }: MatmulShape): number => scaleBytes * PANEL_COLUMNS
/** Where the scales of a panel begin. */
export const scalesOffset = (shape: MatmulShape): number => blocksOf(shape) * blockCodeBytes(shape)
export const blockZeroBytes = ({ hasZeros = false }: MatmulShape): number => (hasZeros ? PANEL_COLUMNS : 0)
/** Where the zero points of a panel begin. */
export const zerosOffset = (shape: MatmulShape): number =>
  blocksOf(shape) * (blockCodeBytes(shape) + blockScaleBytes(shape))
export const panelBytes = (shape: MatmulShape): number =>
  zerosOffset(shape) + blocksOf(shape) * blockZeroBytes(shape)

/** Of the operator that computes this matmul. */
export function operatorName({ k, n, bits, scaleBytes, ...more }: MatmulShape): string {
  const { isSwiglu = false, hasZeros = false } = more
  return `${isSwiglu ? 'SwiGLU' : 'Matmul'}${bits}${hasZeros ? '_zeros' : ''}_${8 * scaleBytes}_${k}x${n}`
}

/** Rows of the input that are multiplied together: their weights are read once. As many as there are vectors for their sums. */
export const tileRows = (isa: Isa): number => (isa === 'avx512-vnni' ? 8 : 4)
/** Of a row of a tile, for each block: 32 bytes of codes, its scale, and minus the zero point times the sum of its codes, or minus that
 * sum where zero points are many. */
export const ROW_BLOCK_BYTES = BLOCK + 4 + 4

/** The dimensions of the tensor of bytes that holds the weights. */
export const packedDims = (shape: MatmulShape): readonly [number, number] => [
  panelsOf(shape),
  panelBytes(shape),
]
export const packedBytes = (shape: MatmulShape): number => panelsOf(shape) * panelBytes(shape)
