/** Lays weights out as panels: moves words, and writes scales as halves where that changes none. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { at, R8, RAX, RBX, RCX, RDI, RDX, RSI, RSP } from '../x64/registers.ts'
import {
  BLOCK,
  blockCodeBytes,
  blockScaleBytes,
  blocksOf,
  blockZeroBytes,
  type MatmulShape,
  PANEL_COLUMNS,
  panelBytes,
  scalesOffset,
  turnPanels,
  VECTOR_BYTES,
} from './matmul-shape.ts'

/** Weights as MatMulNBits has them, column after column. */
export interface PackSource {
  readonly shape: MatmulShape
  /** Rows that share a scale: 32 or a multiple. */
  readonly scaleRows: number
}

const WORD = 4

/** `void (codes, scales, to, panels)`. */
export function emitPack(code: Assembler, { shape, scaleRows }: PackSource): Label {
  const entry = code.label()
  const nextPanel = code.label()
  const nextScale = code.label()
  const columnBytes = (shape.k * shape.bits) / 8
  const scaleBytes = (shape.k / scaleRows) * WORD
  const blocks = scaleRows / BLOCK
  code.bind(entry)
  code.push(RBX)
  code.subNumber(RSP, VECTOR_BYTES)
  // rdi: codes; rsi: scales; rdx: to; r8: where the scales go; rcx: panels left; rbx: scales left
  code.bind(nextPanel)
  code.lea(R8, at(RDX, scalesOffset(shape)))
  code.movNumber(RBX, shape.k / scaleRows)
  code.bind(nextScale)
  for (let block = 0; block < blocks; block++) emitBlock(code, shape, { columnBytes, block })
  emitScales(code, shape, { columnBytes: scaleBytes, blocks })
  code.addNumber(RDI, (scaleRows * shape.bits) / 8)
  code.addNumber(RDX, blocks * blockCodeBytes(shape))
  code.addNumber(RSI, WORD)
  code.addNumber(R8, blocks * blockScaleBytes(shape))
  code.subNumber(RBX, 1)
  code.jumpIf('notEqual', nextScale)
  // One column was gone through; the others of the panel lie behind it.
  code.addNumber(RDI, (PANEL_COLUMNS - 1) * columnBytes)
  code.addNumber(RSI, (PANEL_COLUMNS - 1) * scaleBytes)
  // Zero points are not words: they come later.
  const zeros = blocksOf(shape) * blockZeroBytes(shape)
  code.lea(RDX, at(R8, zeros + (turnPanels(shape) - 1) * panelBytes(shape)))
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', nextPanel)
  code.addNumber(RSP, VECTOR_BYTES)
  code.pop(RBX)
  code.vzeroupper()
  code.ret()
  if (blocksOf(shape) % blocks !== 0) throw new RangeError('a scale reaches beyond the last row')
  return entry
}

interface BlockPlace {
  /** From one column to the next. */
  readonly columnBytes: number
  readonly block: number
}

function emitBlock(code: Assembler, shape: MatmulShape, { columnBytes, block }: BlockPlace): void {
  const from = block * ((BLOCK * shape.bits) / 8)
  const to = block * blockCodeBytes(shape)
  for (let word = 0; word < blockCodeBytes(shape) / VECTOR_BYTES; word++) {
    for (let column = 0; column < PANEL_COLUMNS; column++) {
      code.loadWord(RAX, at(RDI, column * columnBytes + from + word * WORD))
      code.storeWord(at(RDX, to + word * VECTOR_BYTES + column * WORD), RAX)
    }
  }
}

/** The scales of one block of the source, for each block of 32 in it. */
function emitScales(
  code: Assembler,
  shape: MatmulShape,
  { columnBytes, blocks }: { columnBytes: number; blocks: number },
): void {
  for (let column = 0; column < PANEL_COLUMNS; column++) {
    code.loadWord(RAX, at(RSI, column * columnBytes))
    code.storeWord(at(RSP, column * WORD), RAX)
  }
  code.lanes.load(0, at(RSP))
  for (let block = 0; block < blocks; block++) {
    const to = at(R8, block * blockScaleBytes(shape))
    if (shape.scaleBytes === 2) code.lanes.storeHalves(to, 0)
    else code.lanes.store(to, 0)
  }
}
