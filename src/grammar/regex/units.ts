/** Characters within the bytes of a JSON string: where one begins that counts for its length. */

/** 0: between characters, or within the UTF-8 of one; 1: behind a backslash; 2 to 5: that many less one digits of `\\u` are to come. */
export type UnitPhase = 0 | 1 | 2 | 3 | 4 | 5

const WITHIN = Array.from({ length: 6 }, (_, phase) => ({ next: phase as UnitPhase, begins: false }))
const PLAIN = { next: 0 as UnitPhase, begins: true }
const ESCAPE = { next: 1 as UnitPhase, begins: true }

/** The phase after a byte, and whether the byte begins a character. */
export function nextPhase(
  phase: UnitPhase,
  byte: number,
): { readonly next: UnitPhase; readonly begins: boolean } {
  if (phase === 1) return byte === 0x75 ? WITHIN[5]! : WITHIN[0]!
  if (phase > 1) return phase === 2 ? WITHIN[0]! : WITHIN[phase - 1]!
  if (byte === 0x5c) return ESCAPE
  return byte >= 0x80 && byte <= 0xbf ? WITHIN[0]! : PLAIN
}
