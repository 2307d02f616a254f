import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { at, RAX, RSP } from '../x64/registers.ts'

/** Of MXCSR: nothing traps, denormal numbers are zero in what is read and in what is made. */
const NO_DENORMALS = 0x9fc0

/**
 * A task that does the same with denormal numbers on whatever thread it runs: ONNX Runtime sets this for threads of its own only.
 * They are slow besides. Takes rax.
 */
export function emitWithoutDenormals(code: Assembler, task: Label): Label {
  const entry = code.label()
  code.bind(entry)
  code.subNumber(RSP, 8)
  code.stmxcsr(at(RSP))
  code.movNumber(RAX, NO_DENORMALS)
  code.storeWord(at(RSP, 4), RAX)
  code.ldmxcsr(at(RSP, 4))
  code.call(task)
  code.ldmxcsr(at(RSP))
  code.addNumber(RSP, 8)
  code.ret()
  return entry
}
