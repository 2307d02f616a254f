/** A tile with AVX-512 VNNI: a vector is a row of 16 columns, the weights of a block fill eight. */
import type { Assembler } from '../x64/assembler.ts'
import { emitExpConstants } from '../x64/exp-code.ts'
import { at, R11, RAX, RCX, RDI, RDX, RSI } from '../x64/registers.ts'
import {
  BLOCK,
  blockCodeBytes,
  blockScaleBytes,
  blocksOf,
  blockZeroBytes,
  GROUPS,
  type MatmulShape,
  panelBytes,
  ROW_BLOCK_BYTES,
  scalesOffset,
  turnPanels,
  VECTOR_BYTES,
  zerosOffset,
} from './matmul-shape.ts'
import { emitGate, emitPrefetch, groupPlace, PREFETCH_BYTES, type Tile } from './tile-code.ts'

/** What lies in which vector: eight groups of weights from 0 on, and what is added up in `SUMS` and after. */
const LOW_HALVES = 8
const SCALES = 9
const ZEROS = 10
const SUMS = 11
const MOST_SUMS = 16
const VECTORS = 32
/** After the sums are made: the constants of the exponential function from 0 on, and the work with it. */
const WORK = [SUMS + MOST_SUMS, SUMS + MOST_SUMS + 1, SUMS + MOST_SUMS + 2] as const

/** As `emitTile` has it. */
export function emitZmmTile(code: Assembler, tile: Tile, shape: MatmulShape): void {
  if (tile.rows * tile.panels > MOST_SUMS) throw new RangeError('a tile has more sums than vectors')
  const { zmm } = code
  const next = code.label()
  code.movNumber(RAX, 0x0f0f0f0f)
  zmm.vpbroadcastdRegister(LOW_HALVES, RAX)
  for (let i = 0; i < tile.rows * tile.panels; i++) zmm.vpxord(SUMS + i, SUMS + i, SUMS + i)
  code.lea(RAX, at(RDI, scalesOffset(shape)))
  code.lea(R11, at(RDI, zerosOffset(shape)))
  code.movNumber(RCX, blocksOf(shape))
  code.bind(next)
  for (let panel = 0; panel < tile.panels; panel++) emitPanelBlock(code, tile, shape, panel)
  code.addNumber(RSI, tile.rows * ROW_BLOCK_BYTES)
  code.addNumber(RDI, blockCodeBytes(shape))
  code.addNumber(RAX, blockScaleBytes(shape))
  if (shape.hasZeros) code.addNumber(R11, blockZeroBytes(shape))
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', next)
  const turn = turnPanels(shape)
  if (turn === 2) emitGates(code, tile)
  for (let row = 0; row < tile.rows; row++) {
    for (let panel = 0; panel < tile.panels; panel += turn) {
      const place = at(RDX, row * shape.n * 4 + (panel / turn) * VECTOR_BYTES)
      zmm.vmovupsStore(place, SUMS + row * tile.panels + panel)
    }
  }
}

/** Of each two sums, gate and up, the first becomes the result. */
function emitGates(code: Assembler, { rows, panels, exp }: Tile): void {
  const constants = emitExpConstants(code, exp, 0)
  for (let gate = SUMS; gate < SUMS + rows * panels; gate += 2) {
    emitGate(code, { gate, up: gate + 1, work: WORK, constants })
  }
}

/** One block of one panel, times every row. */
function emitPanelBlock(code: Assembler, tile: Tile, shape: MatmulShape, panel: number): void {
  const { zmm } = code
  const { rows, panels, isFirst } = tile
  const offset = panel * panelBytes(shape)
  if (isFirst) emitPrefetch(code, at(RDI, offset + PREFETCH_BYTES), shape)
  if (shape.bits === 4) emitNibbles(code, offset)
  else for (let g = 0; g < GROUPS; g++) zmm.vmovups(g, at(RDI, offset + g * VECTOR_BYTES))
  if (shape.scaleBytes === 2) zmm.vcvtph2ps(SCALES, at(RAX, offset))
  else zmm.vmovups(SCALES, at(RAX, offset))
  if (shape.hasZeros) zmm.vpmovzxbd(ZEROS, at(R11, offset))
  const most = VECTORS - SUMS - rows * panels
  const size = Math.ceil(rows / Math.ceil(rows / most))
  for (let first = 0; first < rows; first += size) {
    const some = Array.from({ length: Math.min(size, rows - first) }, (_, i) => first + i)
    emitRowsOfBlock(code, tile, shape, { panel, some })
  }
}

/** Rows side by side: the additions of one depend on each other from group to group, those of different rows do not and overlap. */
function emitRowsOfBlock(
  { zmm }: Assembler,
  { rows, panels }: Tile,
  shape: MatmulShape,
  { panel, some }: { readonly panel: number; readonly some: readonly number[] },
): void {
  const work = (row: number): number => SUMS + rows * panels + row - some[0]!
  for (const row of some) {
    const zeroTerm = at(RSI, rows * (BLOCK + 4) + row * 4)
    if (shape.hasZeros) zmm.vpmulldBroadcast(work(row), ZEROS, zeroTerm)
    else zmm.vpbroadcastd(work(row), zeroTerm)
  }
  for (let g = 0; g < GROUPS; g++) {
    for (const row of some) zmm.vpdpbusd(work(row), g, at(RSI, row * BLOCK + groupPlace(g, shape) * 4))
  }
  for (const row of some) zmm.vcvtdq2ps(work(row), work(row))
  for (const row of some) zmm.vmulps(work(row), work(row), SCALES)
  for (const row of some) {
    zmm.vfmadd231psBroadcast(SUMS + row * panels + panel, work(row), at(RSI, rows * BLOCK + row * 4))
  }
}

/** Four vectors of 4-bit codes as eight of bytes. */
function emitNibbles({ zmm }: Assembler, offset: number): void {
  const vectors = GROUPS / 2
  for (let g = 0; g < vectors; g++) {
    zmm.vmovups(g, at(RDI, offset + g * VECTOR_BYTES))
    zmm.vpsrlw(g + vectors, g, 4)
    zmm.vpandd(g, g, LOW_HALVES)
    zmm.vpandd(g + vectors, g + vectors, LOW_HALVES)
  }
}
