/** The innermost part of a matmul: a few quantized rows times a few panels of weights. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { type ExpConstants, emitExp } from '../x64/exp-code.ts'
import { at, RDI } from '../x64/registers.ts'
import { blockCodeBytes, GROUPS, type MatmulShape, VECTOR_BYTES } from './matmul-shape.ts'

export interface Tile {
  readonly rows: number
  readonly panels: number
  /** Where the constants of the exponential function are, for a SwiGLU. */
  readonly exp: Label
  /** Where the numbers for the blocks of AVX2 are. */
  readonly blocks: Label
}

/** The data that tiles read. */
export type TileData = Pick<Tile, 'exp' | 'blocks'>

/** How far ahead weights are asked for: half and twice as far took 2 to 5 % longer, not at all 15 %. */
const PREFETCH_BYTES = 2048

/**
 * Weights further on. A single row waits for memory, and what the processor fetches by itself comes too late: panels are too short
 * and too many. What lies after the last panel of all is asked for in vain.
 */
export function emitPrefetch(code: Assembler, offset: number, shape: MatmulShape): void {
  for (let line = 0; line < blockCodeBytes(shape); line += VECTOR_BYTES) {
    code.prefetch(at(RDI, offset + PREFETCH_BYTES + line))
  }
}

/** Where the numbers of a group stand among the quantized ones: with 4 bits, even and odd rows by turns. */
export function groupPlace(group: number, { bits }: MatmulShape): number {
  return bits === 8 ? group : 2 * (group % (GROUPS / 2)) + Math.floor((2 * group) / GROUPS)
}

interface Gate {
  /** Becomes the result. */
  readonly gate: number
  readonly up: number
  /** Three for the work. */
  readonly work: readonly [number, number, number]
  readonly constants: ExpConstants
}

/** SwiGLU: gate / (1 + e^-gate) · up. */
export function emitGate(code: Assembler, { gate, up, work: [power, ...work], constants }: Gate): void {
  const { lanes } = code
  lanes.zero(power)
  lanes.sub(power, power, gate)
  emitExp(code, { x: power, work, constants })
  lanes.add(power, power, constants.one)
  lanes.div(gate, gate, power)
  lanes.mul(gate, gate, up)
}
