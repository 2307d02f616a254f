/** The part of ONNX Runtime's C API that a kernel calls, over the memory of the interpreter; tasks come in a random order. */

import type { KernelApi } from '../../../src/kernels/abi/kernel-calls.ts'
import type { OperatorKind } from '../../../src/kernels/abi/operator-code.ts'
import type { Isa } from '../../../src/kernels/isa.ts'
import { Machine } from './machine.ts'
import type { Region } from './memory.ts'

/** Any addresses that no region has. */
const API: KernelApi = {
  createStatus: 1n,
  getInput: 2n,
  getOutput: 3n,
  getData: 4n,
  getShape: 5n,
  parallelFor: 6n,
}
const MESSAGE = 0x1234n
const CONTEXT = 77
const STATUS = 99
/** ONNXTensorElementDataType, and bytes of an element. */
export const ELEMENT_BYTES: Readonly<Record<number, number>> = { 1: 4, 2: 1, 6: 4, 7: 8, 10: 2 }

export interface KernelTensor {
  readonly dims: readonly number[]
  readonly bytes: Uint8Array
  /** An input that the operator writes as well. */
  readonly isWritten?: boolean
}

/** Memory for an output, by its number: it may be that of an input. */
export type Allocate = (index: number, dims: readonly number[], bytes: number) => Uint8Array

interface Value {
  readonly region: Region
  readonly dims: readonly number[]
  readonly shape: Region
}

/** One operator, ready to be run many times. */
export class InterpretedKernel {
  readonly #machine: Machine
  readonly #kind: OperatorKind
  readonly #entry: number
  readonly #values: Value[] = []
  #inputs: readonly Value[] = []
  #outputs: (Value | undefined)[] = []
  #allocate: Allocate = filled
  #state = 1

  constructor(kind: OperatorKind, isa: Isa) {
    this.#machine = new Machine(isa)
    this.#kind = kind
    const entry = kind.emitCompute(this.#machine.assembler, API, MESSAGE)
    this.#entry = entry.position!
    this.#defineApi()
  }

  get steps(): number {
    return this.#machine.steps
  }

  /** The outputs. @throws Error `has another shape` when the kernel refuses, and for whatever is wrong in what it does. */
  run(inputs: readonly KernelTensor[], allocate: Allocate = filled): KernelTensor[] {
    const { memory } = this.#machine
    memory.mark()
    try {
      this.#inputs = inputs.map((tensor, i) => this.#value(`input ${i}`, tensor, tensor.isWritten === true))
      this.#outputs = []
      this.#allocate = allocate
      const status = this.#machine.run(this.#entry, 0, CONTEXT)
      if (status === STATUS) throw new Error('an input of an operator of spout has another shape')
      if (status !== 0) throw new Error(`a status of ${status}`)
      return this.#outputs.map((value) => ({ dims: value!.dims, bytes: value!.region.bytes }))
    } finally {
      memory.release()
      this.#values.length = 0
    }
  }

  #value(name: string, { dims, bytes }: KernelTensor, isWritable: boolean): Value {
    const { memory } = this.#machine
    const shape = memory.region(`${name}.dims`, 8 * dims.length, { isWritable: false })
    for (const [i, dim] of dims.entries()) shape.view.setBigInt64(8 * i, BigInt(dim), true)
    // Where the runtime's memory begins: on 64, as its allocator has it, or not, as a mapped file may.
    const value = { dims, shape, region: memory.region(name, bytes, { isWritable, offset: 16 }) }
    this.#values.push(value)
    return value
  }

  #defineApi(): void {
    const machine = this.#machine
    const { memory } = machine
    const handleOf = (value: Value): number => this.#values.indexOf(value) + 500
    machine.outside(API.createStatus, (code, message) => {
      if (code === 0 || message !== Number(MESSAGE)) throw new Error('a status of nothing')
      return STATUS
    })
    machine.outside(API.getInput, (_context, index, to) => {
      memory.store(to!, handleOf(this.#inputs[index!]!))
      return 0
    })
    machine.outside(API.getOutput, (_context, index, dims, count, to) => {
      const wanted = Array.from({ length: count! }, (_, i) => memory.load(dims! + 8 * i))
      memory.store(to!, handleOf(this.#output(index!, wanted)))
      return 0
    })
    machine.outside(API.getData, (value, to) => {
      memory.store(to!, this.#values[value! - 500]!.region.base)
      return 0
    })
    machine.outside(API.getShape, (value, type, dims, count) => {
      const { shape, dims: known } = this.#values[value! - 500]!
      memory.storeWord(type!, 1)
      memory.store(dims!, shape.base)
      memory.store(count!, known.length)
      return 0
    })
    machine.outside(API.parallelFor, (_context, task, total, batches, data) => {
      if (batches !== 0) throw new Error('tasks in batches')
      for (const index of this.#shuffled(total!)) machine.run(task! - machine.code.base, data!, index)
      return 0
    })
  }

  #output(index: number, dims: readonly number[]): Value {
    const count = dims.reduce((a, b) => a * b, 1)
    const bytes = this.#allocate(index, dims, count * ELEMENT_BYTES[this.#kind.outputs[index]!]!)
    const same = this.#inputs.find(({ region }) => region.bytes === bytes)
    if (same !== undefined) same.region.isWritable = true
    const value = same ?? this.#value(`output ${index}`, { dims, bytes }, true)
    this.#outputs[index] = value
    return value
  }

  #shuffled(total: number): number[] {
    const order = Array.from({ length: total }, (_, i) => i)
    for (let i = total - 1; i > 0; i--) {
      this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
      const other = this.#state % (i + 1)
      ;[order[i], order[other]] = [order[other]!, order[i]!]
    }
    return order
  }
}

/** What nobody wrote is no number. */
const filled: Allocate = (_index, _dims, bytes) => new Uint8Array(bytes).fill(0xff)
