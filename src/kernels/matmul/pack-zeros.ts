/** Lays zero points out in the panels that they belong to. */
import {
  BLOCK,
  blocksOf,
  type ProductShape,
  STRIP_COLUMNS,
  stripBytes,
  turnStrips,
  zerosOffset,
} from './matmul-shape.ts'

export interface ZeroSource {
  /** As MatMulNBits has them, a row of bytes for each column; `undefined`: half of what the bits count. */
  readonly zeros: Uint8Array | undefined
  /** Columns. */
  readonly n: number
  /** Rows that share one: 32 or a multiple. */
  readonly scaleRows: number
}

/** @param panels from the first panel of these columns on. */
export function packZeros(
  shape: ProductShape,
  { zeros, n, scaleRows }: ZeroSource,
  panels: Uint8Array,
): void {
  const { bits } = shape
  const rowBytes = Math.ceil(((shape.k / scaleRows) * bits) / 8)
  const perByte = 8 / bits
  for (let column = 0; column < n; column++) {
    const panel = Math.floor(column / STRIP_COLUMNS) * turnStrips(shape) * stripBytes(shape)
    const to = panel + zerosOffset(shape) + (column % STRIP_COLUMNS)
    for (let block = 0; block < blocksOf(shape); block++) {
      const group = Math.floor((block * BLOCK) / scaleRows)
      const byte = zeros?.[column * rowBytes + Math.floor(group / perByte)]
      const zero =
        byte === undefined ? 1 << (bits - 1) : (byte >> (bits * (group % perByte))) & ((1 << bits) - 1)
      panels[to + block * STRIP_COLUMNS] = zero
    }
  }
}
