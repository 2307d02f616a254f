/**
 * Sessions of ONNX Runtime whose operators of ours are run by the interpreter, over the memory that the session binds: whole
 * models run so on every machine. The library calls back into JavaScript, which koffi does on the main thread.
 */
import koffi from 'koffi'
import { type OperatorKind, operatorStruct } from '../../../src/kernels/abi/operator-code.ts'
import type { Isa } from '../../../src/kernels/isa.ts'
import type { PackedWeight } from '../../../src/kernels/kernel-parts.ts'
import { packedBytes } from '../../../src/kernels/matmul/matmul-shape.ts'
import { kindsOf } from '../../../src/kernels/operators.ts'
import { OWN_DOMAIN } from '../../../src/onnx-file/domains.ts'
import { UINT8 } from '../../../src/onnx-file/fields.ts'
import { cString, type OrtLibrary } from '../../../src/onnx-runtime/c-api.ts'
import { openCApiRuntime } from '../../../src/onnx-runtime/c-session.ts'
import type { OwnKernels } from '../../../src/onnx-runtime/own-kernels.ts'
import type { PackedWeights } from '../../../src/onnx-runtime/packed-weights.ts'
import type { Runtime } from '../../../src/onnx-runtime/runtime.ts'
import { stableMemory } from '../../../src/system/stable-memory.ts'
import { ELEMENT_BYTES, InterpretedKernel, type KernelTensor } from './ort.ts'
import { packInterpreted } from './run-own-graph.ts'

/** The same on every machine, whatever its processor has. */
export function openInterpretedRuntime(isa: Isa): Runtime {
  return openCApiRuntime(interpretedKernels(isa))
}

function interpretedKernels(isa: Isa): OwnKernels {
  return {
    whyNone: () => undefined,
    addOperators(ort, options, { operators }) {
      const domain = ort.make('CreateCustomOpDomain', kept(cString(OWN_DOMAIN)))
      for (const kind of kindsOf(operators)) {
        ort.call('CustomOpDomain_Add', domain, kept(operatorOf(ort, kind, isa)))
      }
      ort.call('AddCustomOpDomain', options, domain)
    },
    loadWeights: (weights) => loadInterpreted(weights, isa),
  }
}

/** Sessions point to it until the process ends. */
const everything: object[] = []
function kept<T extends object>(memory: T): T {
  everything.push(memory)
  return memory
}

function loadInterpreted(weights: readonly PackedWeight[], isa: Isa): PackedWeights {
  const tensors = weights.map((weight) => {
    const { dims, bytes } = packInterpreted(weight, isa)
    const memory = kept(new Uint8Array(stableMemory(bytes.length)))
    memory.set(bytes)
    return { name: weight.name, dims, bytes: packedBytes(weight.shape), address: koffi.address(memory) }
  })
  return { tensors, ready: Promise.resolve(), dispose: async () => undefined }
}

const INVALID_ARGUMENT = 2
const SIGNATURES = {
  GetName: 'void* (void*)',
  GetExecutionProviderType: 'void* (void*)',
  GetInputType: 'int (void*, size_t)',
  GetOutputType: 'int (void*, size_t)',
  GetInputTypeCount: 'size_t (void*)',
  GetOutputTypeCount: 'size_t (void*)',
  GetInputCharacteristic: 'int (void*, size_t)',
  GetOutputCharacteristic: 'int (void*, size_t)',
  GetInputMemoryType: 'int (void*, size_t)',
  CreateKernelV2: 'void* (void*, void*, void*, void*)',
  KernelComputeV2: 'void* (void*, void*)',
  KernelDestroy: 'void (void*)',
} as const
type Field = keyof typeof SIGNATURES

/** The operator as `struct OrtCustomOp`, of functions that are JavaScript. */
function operatorOf(ort: OrtLibrary, kind: OperatorKind, isa: Isa): BigUint64Array {
  const { name, inputs, outputs } = kind
  const nothing = (): number => 0
  const functions: Record<Field, (...args: never[]) => unknown> = {
    GetName: () => koffi.address(text),
    GetExecutionProviderType: () => null,
    GetInputType: (_: bigint, index: number) => inputs[index],
    GetOutputType: (_: bigint, index: number) => outputs[index],
    GetInputTypeCount: () => inputs.length,
    GetOutputTypeCount: () => outputs.length,
    GetInputCharacteristic: nothing,
    GetOutputCharacteristic: nothing,
    GetInputMemoryType: nothing,
    CreateKernelV2(_operator: bigint, _api: bigint, _info: bigint, to: bigint) {
      koffi.encode(to, 'uintptr_t', 1)
      return null
    },
    KernelComputeV2: (_: bigint, context: bigint) => computed(context),
    KernelDestroy: () => undefined,
  }
  const text = kept(cString(name))
  const kernel = new InterpretedKernel(kind, isa)
  const computed = (context: bigint): bigint | null => {
    try {
      compute(ort, { kind, kernel, context })
      return null
    } catch (error) {
      return ort.fn('CreateStatus')(INVALID_ARGUMENT, kept(cString((error as Error).message)))
    }
  }
  const addresses = Object.entries(functions).map(([field, run]) => {
    const signature = koffi.pointer(koffi.proto(SIGNATURES[field as Field]))
    return [field as Field, Number(koffi.register(run, signature))] as const
  })
  return new BigUint64Array(stableCopy(operatorStruct(new Map(addresses), 0n)))
}

function stableCopy(words: BigUint64Array): ArrayBuffer {
  const memory = stableMemory(words.byteLength)
  new BigUint64Array(memory).set(words)
  return memory
}

interface Computation {
  readonly kind: OperatorKind
  readonly kernel: InterpretedKernel
  /** OrtKernelContext. */
  readonly context: bigint
}

/** One call of the kernel, over the memory of the library. */
function compute(ort: OrtLibrary, { kind, kernel, context }: Computation): void {
  const dataOf = (value: bigint): bigint => ort.make('GetTensorMutableData', value)
  const viewOf = (address: bigint, bytes: number): Uint8Array =>
    bytes === 0 ? new Uint8Array(0) : new Uint8Array(koffi.view(address, bytes))
  const addresses: bigint[] = []
  const inputs = kind.inputs.map((type, i): KernelTensor => {
    const value = ort.make('KernelContext_GetInput', context, i)
    const dims = dimsOf(ort, value)
    addresses.push(dataOf(value))
    // Keys and values of an attention are the only input that is written.
    const isWritten = type === UINT8 && kind.name.startsWith('Attention')
    return { dims, bytes: viewOf(addresses[i]!, product(dims) * ELEMENT_BYTES[type]!), isWritten }
  })
  kernel.run(inputs, (index, dims, bytes) => {
    const sizes = new BigInt64Array(stableMemory(8 * dims.length))
    sizes.set(dims.map(BigInt))
    const address = dataOf(ort.make('KernelContext_GetOutput', context, index, sizes, dims.length))
    const input = addresses.indexOf(address)
    return input < 0 ? viewOf(address, bytes) : inputs[input]!.bytes
  })
}

function dimsOf(ort: OrtLibrary, value: bigint): number[] {
  const info = ort.make('GetTensorTypeAndShape', value)
  const count = new BigUint64Array(stableMemory(8))
  ort.call('GetDimensionsCount', info, count)
  const dims = new BigInt64Array(stableMemory(8 * Number(count[0])))
  ort.call('GetDimensions', info, dims, dims.length)
  ort.fn('ReleaseTensorTypeAndShapeInfo')(info)
  return Array.from(dims, Number)
}

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1)
