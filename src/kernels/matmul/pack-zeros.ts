/** Lays zero points out in the panels that they belong to. */
import {
  BLOCK,
  blocksOf,
  type MatmulShape,
  PANEL_COLUMNS,
  panelBytes,
  turnPanels,
  zerosOffset,
} from './matmul-shape.ts'

interface ZeroSource {
  /** As MatMulNBits has them, a row of bytes for each column; `undefined`: half of what the bits count. */
  readonly zeros: Uint8Array | undefined
  /** Columns. */
  readonly n: number
  /** Rows that share one: 32 or a multiple. */
  readonly scaleRows: number
}

/** @param panels from the first panel of these columns on. */
export function packZeros(shape: MatmulShape, { zeros, n, scaleRows }: ZeroSource, panels: Uint8Array): void {
  const { bits } = shape
  const rowBytes = Math.ceil(((shape.k / scaleRows) * bits) / 8)
  const perByte = 8 / bits
  for (let column = 0; column < n; column++) {
    const panel = Math.floor(column / PANEL_COLUMNS) * turnPanels(shape) * panelBytes(shape)
    const to = panel + zerosOffset(shape) + (column % PANEL_COLUMNS)
    for (let block = 0; block < blocksOf(shape); block++) {
      const group = Math.floor((block * BLOCK) / scaleRows)
      const byte = zeros?.[column * rowBytes + Math.floor(group / perByte)]
      const zero =
        byte === undefined ? 1 << (bits - 1) : (byte >> (bits * (group % perByte))) & ((1 << bits) - 1)
      panels[to + block * PANEL_COLUMNS] = zero
    }
  }
}
