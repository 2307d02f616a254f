import type { CodeBuffer } from './code-buffer.ts'
import type { Source } from './registers.ts'

/** ModRM, and what follows it for memory. @param step what a short displacement counts in. */
export function writeOperand(code: CodeBuffer, register: number, operand: Source, step: number): void {
  const field = (register & 7) << 3
  if (typeof operand === 'number') {
    code.byte(0xc0 | field | (operand & 7))
    return
  }
  const { base, disp } = operand
  const steps = disp / step
  const isShort = Number.isInteger(steps) && steps >= -128 && steps <= 127
  // With the numbers of rbp and r13 there is always a displacement.
  const isNone = disp === 0 && (base & 7) !== 5
  code.byte((isNone ? 0 : isShort ? 0x40 : 0x80) | field | (base & 7))
  // The numbers of rsp and r12 mean that another byte names the base.
  if ((base & 7) === 4) code.byte(0x24)
  if (isNone) return
  if (isShort) code.byte(steps & 255)
  else code.signed32(disp)
}
