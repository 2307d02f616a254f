/** Memory whose bytes the processor runs: written while it may be written, then never again. Linux on x86-64. */
import koffi from 'koffi'
import { mapMemory, PROTECTION, protectMemory } from './mapped-memory.ts'

/**
 * The address of a copy of `code` that may be called, for as long as the process lives.
 * @throws Error where the system allows none.
 */
export function executableMemory(code: Uint8Array): bigint {
  const { address, release } = mapMemory(code.length)
  new Uint8Array(koffi.view(address, code.length)).set(code)
  try {
    protectMemory(address, code.length, PROTECTION.readExecute)
  } catch (error) {
    release()
    throw error
  }
  return address
}
