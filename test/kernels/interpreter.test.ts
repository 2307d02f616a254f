/** The interpreter refuses what a processor would do without a word. */
import { expect, test } from 'vitest'
import type { Assembler } from '../../src/kernels/x64/assembler.ts'
import { at, R12, RAX, RBX, RCX, RDI, RSI, RSP } from '../../src/kernels/x64/registers.ts'
import { Machine } from '../support/interpreter/machine.ts'

function run(emit: (code: Assembler, machine: Machine) => void, ...args: number[]): number {
  const machine = new Machine('avx512-vnni')
  const entry = machine.label()
  machine.bind(entry)
  emit(machine.assembler, machine)
  machine.ret()
  return machine.run(entry, ...args)
}

test('a function gets its arguments and returns rax', () => {
  expect(
    run(
      (code) => {
        code.mov(RAX, RDI)
        code.add(RAX, RSI)
      },
      40,
      2,
    ),
  ).toBe(42)
})

const wrong: Record<string, [(code: Assembler, machine: Machine) => void, string]> = {
  'reads beyond a region': [
    (code, { memory }) => {
      const { base } = memory.region('keys', 60)
      code.movNumber(RCX, base)
      code.zmm.vmovups(0, at(RCX))
    },
    'read of 64 bytes at keys[0]',
  ],
  'writes before a region': [
    (code, { memory }) => {
      code.movNumber(RCX, memory.region('output', 64).base)
      code.storeWord(at(RCX, -4), RCX)
    },
    'write of 4 bytes at output[-4]',
  ],
  'writes what is read only': [
    (code, { memory }) => {
      code.movNumber(RCX, memory.region('weights', 64, { isWritable: false }).base)
      code.storeWord(at(RCX), RCX)
    },
    'which is read only',
  ],
  'writes below the stack pointer': [(code) => code.store(at(RSP, -8), RDI), 'below the stack pointer'],
  'leaves a register changed that its caller keeps': [
    (code) => code.movNumber(RBX, 5),
    'register 3 is not what it was',
  ],
  'leaves its stack changed': [(code) => code.push(R12), 'returns to where it was not called from'],
  'reads a register that nobody set': [(code) => code.mov(RAX, RCX), 'nobody set it'],
  'jumps by flags that nobody set': [(code) => code.jumpIf('equal', code.label()), 'flags that nobody set'],
  'leaves upper halves behind': [(code) => code.zmm.vpxord(0, 0, 0), 'vzeroupper is missing'],
  'leaves another mode of floats behind': [
    (code) => {
      code.movNumber(RAX, 0x9fc0)
      code.push(RAX)
      code.ldmxcsr(at(RSP))
      code.pop(RAX)
    },
    'MXCSR is not what it was',
  ],
  'calls with a stack on no multiple of 16': [
    (code, machine) => {
      machine.outside(5n, () => 0)
      code.movNumber(RAX, 5)
      code.callRegister(RAX)
    },
    'not on a multiple of 16',
  ],
  'takes for kept what a call does not keep': [
    (code, machine) => {
      machine.outside(5n, () => 0)
      code.push(RBX)
      code.movNumber(RAX, 5)
      code.callRegister(RAX)
      code.mov(RAX, RDI)
    },
    'nobody set it',
  ],
  'runs into data': [(code) => code.int32(5), 'runs into what is no code'],
}
test.each(Object.entries(wrong))('%s', (_, [emit, message]) => {
  expect(() => run(emit, 1, 2)).toThrow(message)
})
