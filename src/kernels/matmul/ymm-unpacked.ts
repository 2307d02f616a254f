/** Blocks of a panel as they lie where they were unpacked for many rows. */
import type { Assembler } from '../x64/assembler.ts'
import { at, R10, RDI } from '../x64/registers.ts'
import { GROUPS, type MatmulShape, VECTOR_BYTES } from './matmul-shape.ts'
import { groupsByLoad, HALF_BYTES, HALVES } from './ymm-block.ts'
import type { Weights } from './ymm-rows-block.ts'

/** Of an unpacked block: a vector of codes for each group, then scales of fp32, then zero points of 32 bits. */
const UNPACKED = { scales: GROUPS * VECTOR_BYTES, zeros: (GROUPS + 1) * VECTOR_BYTES } as const
export const unpackedBytes = ({ hasZeros = false }: MatmulShape): number =>
  UNPACKED.zeros + (hasZeros ? VECTOR_BYTES : 0)

/** rdi: the block. */
export function unpackedWeights({ ymm }: Assembler, { hasZeros = false }: MatmulShape): Weights {
  const load = (to: number, place: number, half: number): void =>
    ymm.vmovups(to, at(RDI, place + half * HALF_BYTES))
  return {
    groups: Array.from({ length: GROUPS }, (_, i) => [i]),
    codes: (group, half, [to]) => load(to!, group * VECTOR_BYTES, half),
    scales: (half, to) => load(to, UNPACKED.scales, half),
    zeros: (half, to) => hasZeros && load(to, UNPACKED.zeros, half),
  }
}

/** Unpacks a block. r10: where it goes. */
export function emitUnpackedBlock(code: Assembler, shape: MatmulShape, packed: Weights): void {
  const store = (place: number, half: number, from: number): void =>
    code.ymm.vmovupsStore(at(R10, place + half * HALF_BYTES), from)
  for (const half of HALVES) {
    for (const [i, groups] of groupsByLoad(shape).entries()) {
      packed.codes(i, half, [0, 1])
      for (const [place, group] of groups.entries()) store(group * VECTOR_BYTES, half, place)
    }
    packed.scales(half, 0)
    store(UNPACKED.scales, half, 0)
    packed.zeros(half, 1)
    if (shape.hasZeros) store(UNPACKED.zeros, half, 1)
  }
}
