/** The exponential function of the numbers of a vector. */

import { EXP, floatBits } from '../numerics/exp.ts'
import type { Assembler } from './assembler.ts'
import type { Label } from './code-buffer.ts'
import type { Constant } from './lanes.ts'
import { RAX } from './registers.ts'

const NAMES = Object.keys(EXP) as (keyof typeof EXP)[]

export type ExpConstants = Readonly<Record<keyof typeof EXP, Constant>>

/** Writes the constants as data, which `emitExpConstants` reads. */
export function emitExpData(code: Assembler, data: Label): void {
  code.lanes.emitTable(
    data,
    NAMES.map((name) => floatBits(EXP[name])),
  )
}

/** Makes the constants ready, in the vectors from `first` on or in memory. Takes rax, which must stay as long as they are used. */
export function emitExpConstants(code: Assembler, data: Label, first: number): ExpConstants {
  const constants = code.lanes.useTable(data, NAMES.length, { first, base: RAX })
  return Object.fromEntries(NAMES.map((name, i) => [name, constants[i]!])) as Record<
    keyof typeof EXP,
    Constant
  >
}

interface ExpVectors {
  readonly x: number
  /** Two for the work. */
  readonly work: readonly [number, number]
  readonly constants: ExpConstants
  /** x is never above zero. */
  readonly isFalling?: boolean
}

/** x = e^x, as `numerics/exp.ts` has it. */
export function emitExp({ lanes }: Assembler, { x, work: [n, sum], constants, isFalling }: ExpVectors): void {
  const { least, most, log2e, ln2High, ln2Low, one, c2, c3, c4, c5, c6 } = constants
  lanes.atLeast(x, least)
  if (!isFalling) lanes.atMost(x, most)
  lanes.mul(n, x, log2e)
  lanes.round(n, n)
  lanes.fnma(x, n, ln2High)
  lanes.fnma(x, n, ln2Low)
  lanes.mul(sum, x, c6)
  lanes.add(sum, sum, c5)
  for (const each of [c4, c3, c2, one, one]) lanes.fmaOnto(sum, x, each)
  lanes.scale(x, sum, { n, one })
}
