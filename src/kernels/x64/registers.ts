/** The registers of x86-64 by their numbers in an instruction. Vector registers are plain numbers: 0 to 31 of zmm, 0 to 15 of ymm. */
export const RAX = 0
export const RCX = 1
export const RDX = 2
export const RBX = 3
export const RSP = 4
export const RBP = 5
export const RSI = 6
export const RDI = 7
export const R8 = 8
export const R9 = 9
export const R10 = 10
export const R11 = 11
export const R12 = 12
export const R13 = 13
export const R14 = 14
export const R15 = 15

/** Memory at [base + disp]. */
export interface Memory {
  readonly base: number
  readonly disp: number
}

export function at(base: number, disp = 0): Memory {
  return { base, disp }
}

/** A memory operand, or a register. */
export type Source = Memory | number
