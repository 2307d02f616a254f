/**
 * A processor of x86-64 in TypeScript: it has the method names of the assembler, records what they would write, and runs it. It is
 * strict where a processor is not: memory has bounds, a register that nobody set must not be used, and a function keeps what
 * the System V ABI wants kept. So kernels run on every machine, and what they do wrong is seen.
 */
import type { Isa } from '../../../src/kernels/isa.ts'
import type { Assembler, CONDITION, Condition } from '../../../src/kernels/x64/assembler.ts'
import type { Label } from '../../../src/kernels/x64/code-buffer.ts'
import type { Lanes } from '../../../src/kernels/x64/lanes.ts'
import { makeLanes } from '../../../src/kernels/x64/make-lanes.ts'
import type { Memory as Operand } from '../../../src/kernels/x64/registers.ts'
import { Memory, type Region } from './memory.ts'
import { Recorder } from './recorder.ts'
import { Vectors } from './vectors.ts'

const RSP = 4
/** Registers that a function leaves as they were: rbx, rsp, rbp, r12 to r15. */
const KEPT = [3, 4, 5, 12, 13, 14, 15]
/** rdi, rsi, rdx, rcx, r8, r9. */
const ARGUMENTS = [7, 6, 2, 1, 8, 9]
const STACK_BYTES = 65_536
/** MXCSR as the system sets it. */
const USUAL_MODE = 0x1f80
/** Flush to zero, denormals are zero. */
const NO_DENORMALS = 0x8040

/** A function outside of the code: takes the six argument registers, returns rax. */
export type Outside = (...args: number[]) => number

/** What one thread has: registers, stack, flags. */
interface Thread {
  readonly registers: number[]
  readonly stack: Region
  readonly returns: number[]
  mode: number
  left: number
  right: number
  /** Whether the carry of the last operation is known. */
  hasCarry: boolean
}

export class Machine extends Recorder {
  readonly memory: Memory
  readonly zmm: Vectors
  readonly ymm: Vectors
  readonly lanes: Lanes
  /** 32 registers of 64 bytes, and some for the work. */
  readonly vectors: Uint8Array
  readonly #outside = new Map<number, Outside>()
  /** Of the caller, of a kernel, of a task. */
  readonly #stacks: readonly Region[]
  #depth = 0
  #thread: Thread
  #next = 0
  steps = 0

  readonly isa: Isa

  constructor(isa: Isa, memory = new Memory()) {
    super(memory)
    this.isa = isa
    this.memory = memory
    this.#stacks = Array.from({ length: 3 }, (_, i) => memory.region(`stack ${i}`, STACK_BYTES))
    this.#thread = this.#newThread()
    const lanes = new Uint8Array(40 * 64)
    this.zmm = new Vectors(this, lanes, 16)
    this.ymm = new Vectors(this, lanes, 8)
    this.vectors = lanes
    this.lanes = makeLanes(this.assembler)
  }

  /** As the assembler that emitters want. */
  get assembler(): Assembler {
    return this as unknown as Assembler
  }

  /** An address that can be called. */
  outside(address: bigint, outside: Outside): void {
    this.#outside.set(Number(address), outside)
  }

  get hasDenormals(): boolean {
    return (this.#thread.mode & NO_DENORMALS) !== NO_DENORMALS
  }

  /** Calls the code at `entry` (a label, or a distance from the start of the code) on a thread of its own; returns rax. */
  run(entry: Label | number, ...args: number[]): number {
    const before = { thread: this.#thread, next: this.#next, lanes: this.vectors.slice() }
    this.#depth++
    const thread = this.#newThread()
    this.#thread = thread
    try {
      for (const [i, value] of args.entries()) thread.registers[ARGUMENTS[i]!] = value
      for (const [i, register] of KEPT.entries()) if (register !== RSP) thread.registers[register] = 1000 + i
      this.#enter(RETURN)
      const kept = KEPT.map((register) => thread.registers[register]!)
      poison(this.vectors)
      this.#next = this.indexAt(typeof entry === 'number' ? entry : entry.position!)
      while (this.#next !== END) {
        this.steps++
        this.stepAt(this.#next++)()
      }
      kept[KEPT.indexOf(RSP)]! += 8
      for (const [i, register] of KEPT.entries()) {
        if (thread.registers[register] !== kept[i]) throw new Error(`register ${register} is not what it was`)
      }
      this.#leave(thread)
      return thread.registers[0]!
    } finally {
      this.#depth--
      this.#thread = before.thread
      this.#next = before.next
      this.vectors.set(before.lanes)
    }
  }

  address({ base, disp }: Operand): number {
    const address = this.#read(base) + disp
    const { stack, registers } = this.#thread
    if (address >= stack.base && address < registers[RSP]!) throw new Error('memory below the stack pointer')
    return address
  }

  value(register: number): number {
    return this.#read(register)
  }

  // General registers

  push(register: number): void {
    this.step(() => this.#push(this.#read(register)))
  }

  pop(register: number): void {
    this.step(() => this.#write(register, this.#pop()))
  }

  ret(): void {
    this.step(() => {
      const to = this.#pop()
      if (to !== this.#thread.returns.pop()) throw new Error('returns to where it was not called from')
      this.#next = to === RETURN ? END : this.indexAt(to - this.code.base)
    })
  }

  mov(to: number, from: number): void {
    this.step(() => this.#write(to, this.#read(from)))
  }

  movNumber(to: number, value: bigint | number): void {
    this.step(() => this.#write(to, Number(value)))
  }

  load(to: number, from: Operand): void {
    this.step(() => {
      this.#thread.registers[to] = this.memory.load(this.address(from))
    })
  }

  store(to: Operand, from: number): void {
    this.step(() => this.memory.store(this.address(to), this.#read(from)))
  }

  loadWord(to: number, from: Operand): void {
    this.step(() => this.#write(to, this.memory.loadWord(this.address(from))))
  }

  storeWord(to: Operand, from: number): void {
    this.step(() => this.memory.storeWord(this.address(to), this.#read(from) % 2 ** 32))
  }

  lea(to: number, { base, disp }: Operand): void {
    this.step(() => this.#write(to, this.#read(base) + disp))
  }

  leaLabel(to: number, label: Label): void {
    this.step(() => this.#write(to, this.code.base + label.position!))
  }

  add(to: number, from: number): void {
    this.step(() => this.#sum(to, this.#read(from)))
  }

  addNumber(to: number, value: number): void {
    this.step(() => this.#sum(to, value))
  }

  sub(to: number, from: number): void {
    this.step(() => this.#difference(to, this.#read(from)))
  }

  subNumber(to: number, value: number): void {
    this.step(() => this.#difference(to, value))
  }

  imul(to: number, from: number | Operand): void {
    this.step(() => {
      const factor = typeof from === 'number' ? this.#read(from) : this.memory.load(this.address(from))
      this.#unflagged(to, this.#read(to) * factor)
    })
  }

  imulNumber(to: number, from: number, value: number): void {
    this.step(() => this.#unflagged(to, this.#read(from) * value))
  }

  shr(to: number, count: number): void {
    this.step(() => {
      const value = this.#read(to)
      if (value < 0) throw new Error('shifts a negative number')
      this.#unflagged(to, Math.floor(value / 2 ** count))
    })
  }

  cmp(a: number, b: number): void {
    this.step(() => this.#compare(this.#read(a), this.#read(b)))
  }

  cmpNumber(a: number, value: number): void {
    this.step(() => this.#compare(this.#read(a), value))
  }

  test(a: number, b: number): void {
    if (a !== b) throw new Error('test of two registers')
    this.step(() => this.#compare(this.#read(a), 0))
  }

  jump(label: Label): void {
    this.step(() => this.#go(label))
  }

  jumpIf(condition: Condition, label: Label): void {
    this.step(() => {
      const { left, right, hasCarry } = this.#thread
      if (Number.isNaN(left)) throw new Error('a jump by flags that nobody set')
      if (condition === 'below' && !hasCarry) throw new Error('a jump by a carry that is not known')
      if (HOLDS[condition](left, right)) this.#go(label)
    })
  }

  call(label: Label): void {
    this.step(() => {
      this.#enter(this.code.base + this.offsetOf(this.#next))
      this.#go(label)
    })
  }

  callRegister(register: number): void {
    this.step(() => this.#callOutside(this.#read(register)))
  }

  prefetch(_: Operand): void {
    this.step(() => undefined)
  }

  ldmxcsr(from: Operand): void {
    this.step(() => {
      this.#thread.mode = this.memory.loadWord(this.address(from))
    })
  }

  stmxcsr(to: Operand): void {
    this.step(() => this.memory.storeWord(this.address(to), this.#thread.mode))
  }

  vzeroupper(): void {
    this.step(() => this.zmm.clearUpper())
  }

  // Within

  #newThread(): Thread {
    const stack = this.#stacks[this.#depth]!
    poison(stack.bytes)
    const registers = Array<number>(16).fill(Number.NaN)
    registers[RSP] = stack.base + STACK_BYTES - 64
    const flags = { left: Number.NaN, right: Number.NaN, hasCarry: false }
    return { registers, stack, returns: [], mode: USUAL_MODE, ...flags }
  }

  #read(register: number): number {
    const value = this.#thread.registers[register]!
    if (Number.isNaN(value)) throw new Error(`register ${register} is read, and nobody set it`)
    return value
  }

  #write(register: number, value: number): void {
    if (!Number.isSafeInteger(value)) throw new Error(`register ${register} would be ${value}`)
    this.#thread.registers[register] = value
  }

  #push(value: number): void {
    const { registers } = this.#thread
    registers[RSP]! -= 8
    this.memory.store(registers[RSP]!, value)
  }

  /** Where a function goes when it is done, on the stack and beside it. */
  #enter(from: number): void {
    this.#push(from)
    this.#thread.returns.push(from)
  }

  #pop(): number {
    const { registers } = this.#thread
    const value = this.memory.load(registers[RSP]!)
    registers[RSP]! += 8
    return value
  }

  #sum(to: number, value: number): void {
    const sum = this.#read(to) + value
    this.#write(to, sum)
    this.#flags(sum, 0, false)
  }

  #difference(to: number, value: number): void {
    this.#compare(this.#read(to), value)
    this.#write(to, this.#read(to) - value)
  }

  #compare(left: number, right: number): void {
    this.#flags(left, right, true)
  }

  #flags(left: number, right: number, hasCarry: boolean): void {
    const thread = this.#thread
    thread.left = left
    thread.right = right
    thread.hasCarry = hasCarry
  }

  #unflagged(to: number, value: number): void {
    this.#write(to, value)
    this.#thread.left = Number.NaN
  }

  #go(label: Label): void {
    this.#next = this.indexAt(label.position!)
  }

  #callOutside(address: number): void {
    const { registers } = this.#thread
    const outside = this.#outside.get(address)
    if (outside === undefined) throw new Error(`a call of ${address}`)
    if (registers[RSP]! % 16 !== 0) throw new Error('a call with a stack that is not on a multiple of 16')
    this.#leave(this.#thread)
    const result = outside(...ARGUMENTS.map((register) => registers[register]!))
    for (let i = 0; i < 16; i++) if (!KEPT.includes(i)) registers[i] = Number.NaN
    registers[0] = result
    poison(this.vectors)
  }

  /** Code that is not ours wants the usual mode of floats, and clean upper halves. */
  #leave({ mode }: Thread): void {
    if (mode !== USUAL_MODE) throw new Error('MXCSR is not what it was')
    if (this.zmm.isUpperDirty) throw new Error('vzeroupper is missing')
  }
}

const RETURN = -1
const END = -1

/** What nobody set: as fp32 no number, as a number of 64 bits too large for any register. */
function poison(bytes: Uint8Array): void {
  new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2).fill(0x7fc0)
}

const unsigned = (value: number): number => (value < 0 ? value + 2 ** 64 : value)
const HOLDS: Record<keyof typeof CONDITION, (left: number, right: number) => boolean> = {
  below: (left, right) => unsigned(left) < unsigned(right),
  equal: (left, right) => left === right,
  notEqual: (left, right) => left !== right,
  less: (left, right) => left < right,
  greaterOrEqual: (left, right) => left >= right,
}
