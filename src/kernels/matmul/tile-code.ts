/** The innermost part of a matmul: a few quantized rows times a few panels of weights. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { type ExpConstants, emitExp } from '../x64/exp-code.ts'
import { at, type Memory } from '../x64/registers.ts'
import { blockCodeBytes, GROUPS, type MatmulShape, VECTOR_BYTES } from './matmul-shape.ts'

export interface Tile {
  readonly rows: number
  readonly panels: number
  /** The weights come from memory: those further on are asked for. */
  readonly isFirst: boolean
  /** Where the constants of the exponential function are, for a SwiGLU. */
  readonly exp: Label
  /** Where the numbers for the blocks of AVX2 are. */
  readonly blocks: Label
}

/** The data that tiles read. */
export type TileData = Pick<Tile, 'exp' | 'blocks'>

/** How far ahead weights are prefetched. A step took 2 to 5 % longer with 1 or 4 KiB, and 15 % without any prefetch. */
export const PREFETCH_BYTES = 2048

/**
 * Prefetches the codes of a block. A single row is bound by memory, and the processor's own prefetcher comes too late for panels this
 * short. Beyond the last panel it prefetches what nobody reads, which is harmless.
 */
export function emitPrefetch(code: Assembler, { base, disp }: Memory, shape: MatmulShape): void {
  for (let line = 0; line < blockCodeBytes(shape); line += VECTOR_BYTES) {
    code.prefetch(at(base, disp + line))
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
