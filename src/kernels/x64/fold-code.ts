import type { Assembler } from './assembler.ts'

/**
 * Brings the 16 numbers of a vector together, so that each is what became of all.
 * @param together vector `a` becomes `a` and `b`. @param other a vector for the work.
 */
export function emitFold(
  code: Assembler,
  vector: number,
  other: number,
  together: (a: number, b: number) => void,
): void {
  code.vshuff32x4(other, vector, vector, 0x4e)
  together(vector, other)
  code.vshuff32x4(other, vector, vector, 0xb1)
  together(vector, other)
  code.vshufps(other, vector, vector, 0x4e)
  together(vector, other)
  code.vshufps(other, vector, vector, 0xb1)
  together(vector, other)
}
