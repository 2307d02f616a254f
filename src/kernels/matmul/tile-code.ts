/** The innermost part of a product: a few rows times a few strips of weights. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { EXP_ONE, emitExp, emitExpConstants } from '../x64/exp-code.ts'
import { at, RAX, RCX, RDI, RDX, RSI } from '../x64/registers.ts'
import {
  BLOCK,
  blockCodeBytes,
  blockScaleBytes,
  blocksOf,
  GROUPS,
  type ProductShape,
  ROW_BLOCK_BYTES,
  scalesOffset,
  stripBytes,
  turnStrips,
  VECTOR_BYTES,
} from './matmul-shape.ts'

/** What lies in which vector: eight groups of weights from 0 on, and what is added up in `SUMS` and after. */
const LOW_HALVES = 8
const SCALES = 9
const SUMS = 10
const MOST_SUMS = 16
const VECTORS = 32
/** How far ahead weights are asked for: half and twice as far took 2 to 5 % longer, not at all 15 %. */
const PREFETCH_BYTES = 2048
/** After the sums are made: the constants of the exponential function from 0 on, and these. */
const POWER = SUMS + MOST_SUMS
const POWER_WORK = [POWER + 1, POWER + 2] as const
const ZERO = POWER + 3

export interface Tile {
  readonly rows: number
  readonly strips: number
  /** Where the constants of the exponential function are, for a gated product. */
  readonly exp: Label
}

/**
 * Writes the code of a tile, from its first instruction to its last; it runs on into what follows. rsi: the rounded rows, as
 * `ROW_BLOCK_BYTES` says, the rows of each block together; rdi: the first strip; rdx: where the results go. Takes rax, rcx.
 *
 * A block of a row is an int32 for each column, so exact, and is scaled once: x · w = Σ_blocks s_x s_w (Σ x w − zero · Σ x).
 */
export function emitTile(code: Assembler, tile: Tile, shape: ProductShape): void {
  if (tile.rows * tile.strips > MOST_SUMS) throw new RangeError('a tile has more sums than vectors')
  const rowBytes = tile.rows * ROW_BLOCK_BYTES
  const next = code.label()
  code.movNumber(RAX, 0x0f0f0f0f)
  code.vpbroadcastdRegister(LOW_HALVES, RAX)
  for (let i = 0; i < tile.rows * tile.strips; i++) code.vpxord(SUMS + i, SUMS + i, SUMS + i)
  code.lea(RAX, at(RDI, scalesOffset(shape)))
  code.movNumber(RCX, blocksOf(shape))
  code.bind(next)
  for (let strip = 0; strip < tile.strips; strip++) emitStripBlock(code, tile, shape, strip)
  code.addNumber(RSI, rowBytes)
  code.addNumber(RDI, blockCodeBytes(shape))
  code.addNumber(RAX, blockScaleBytes(shape))
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', next)
  const turn = turnStrips(shape)
  if (turn === 2) emitGates(code, tile)
  for (let row = 0; row < tile.rows; row++) {
    for (let strip = 0; strip < tile.strips; strip += turn) {
      const place = at(RDX, row * shape.n * 4 + (strip / turn) * VECTOR_BYTES)
      code.vmovupsStore(place, SUMS + row * tile.strips + strip)
    }
  }
}

/** Of each two sums, gate and up, the first becomes gate / (1 + e^-gate) · up. */
function emitGates(code: Assembler, { rows, strips, exp }: Tile): void {
  emitExpConstants(code, exp, 0)
  code.vpxord(ZERO, ZERO, ZERO)
  for (let gate = SUMS; gate < SUMS + rows * strips; gate += 2) {
    code.vsubps(POWER, ZERO, gate)
    emitExp(code, { x: POWER, work: POWER_WORK, constants: 0 })
    code.vaddps(POWER, POWER, EXP_ONE)
    code.vdivps(gate, gate, POWER)
    code.vmulps(gate, gate, gate + 1)
  }
}

/** One block of one strip, times every row. */
function emitStripBlock(code: Assembler, { rows, strips }: Tile, shape: ProductShape, strip: number): void {
  const offset = strip * stripBytes(shape)
  if (rows === 1) emitPrefetch(code, offset, shape)
  if (shape.bits === 4) emitHalves(code, offset)
  else for (let g = 0; g < GROUPS; g++) code.vmovups(g, at(RDI, offset + g * VECTOR_BYTES))
  if (shape.scaleBytes === 2) code.vcvtph2ps(SCALES, at(RAX, offset))
  else code.vmovups(SCALES, at(RAX, offset))
  const firstWork = SUMS + rows * strips
  for (let row = 0; row < rows; row++) {
    const work = firstWork + (row % (VECTORS - firstWork))
    code.vpbroadcastd(work, at(RSI, rows * (BLOCK + 4) + row * 4))
    for (let g = 0; g < GROUPS; g++) {
      code.vpdpbusd(work, g, at(RSI, row * BLOCK + groupPlace(g, shape) * 4))
    }
    code.vcvtdq2ps(work, work)
    code.vmulps(work, work, SCALES)
    code.vfmadd231psBroadcast(SUMS + row * strips + strip, work, at(RSI, rows * BLOCK + row * 4))
  }
}

/**
 * Weights further on. A single row waits for memory, and what the processor fetches by itself comes too late: strips are too short
 * and too many. What lies after the last strip of all is asked for in vain.
 */
function emitPrefetch(code: Assembler, offset: number, shape: ProductShape): void {
  for (let line = 0; line < blockCodeBytes(shape); line += VECTOR_BYTES) {
    code.prefetch(at(RDI, offset + PREFETCH_BYTES + line))
  }
}

/** Where the numbers of a group stand among the rounded ones: with 4 bits, even and odd rows by turns. */
function groupPlace(group: number, { bits }: ProductShape): number {
  return bits === 8 ? group : 2 * (group % (GROUPS / 2)) + Math.floor((2 * group) / GROUPS)
}

/** Four vectors of 4-bit codes as eight of bytes. */
function emitHalves(code: Assembler, offset: number): void {
  const vectors = GROUPS / 2
  for (let g = 0; g < vectors; g++) {
    code.vmovups(g, at(RDI, offset + g * VECTOR_BYTES))
    code.vpsrlw(g + vectors, g, 4)
    code.vpandd(g, g, LOW_HALVES)
    code.vpandd(g + vectors, g + vectors, LOW_HALVES)
  }
}
