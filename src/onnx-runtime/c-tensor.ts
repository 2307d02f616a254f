/** Tensors of the C API, and what the library says of types and shapes. */
import koffi from 'koffi'
import { afterDispose } from '../errors.ts'
import { stableMemory } from '../system/stable-memory.ts'
import type { OrtLibrary } from './c-api.ts'
import { dataOf, ELEMENT_TYPES, elementBytes, typeCode } from './element-types.ts'
import type { ElementType, Tensor, TensorData, TensorInfo } from './runtime.ts'

export interface Shape {
  readonly type: ElementType
  readonly dims: readonly number[]
}

/** Memory of the library, contents undefined. */
export function allocateTensor(ort: OrtLibrary, type: ElementType, dims: readonly number[]): CTensor {
  return new CTensor(ort, allocateValue(ort, ort.allocator, { type, dims }), { type, dims })
}

/** The handle of a tensor in memory of `allocator`. */
export function allocateValue(ort: OrtLibrary, allocator: bigint, { type, dims }: Shape): bigint {
  const shape = BigInt64Array.from(dims, BigInt)
  return ort.make('CreateTensorAsOrtValue', allocator, shape, dims.length, typeCode(type))
}

/** A tensor over memory of ours. */
export function wrapTensor(ort: OrtLibrary, { type, dims }: Shape, data: TensorData): CTensor {
  return new CTensor(ort, tensorOver(ort, { type, dims }, data), { type, dims }, data)
}

/** The handle of a tensor over memory that somebody else holds: an array, or an address. */
export function tensorOver(ort: OrtLibrary, { type, dims }: Shape, memory: TensorData | bigint): bigint {
  const shape = BigInt64Array.from(dims, BigInt)
  const bytes = dims.reduce((a, b) => a * b, 1) * elementBytes(type)
  const code = typeCode(type)
  return ort.make('CreateTensorWithDataAsOrtValue', ort.cpuMemory, memory, bytes, shape, dims.length, code)
}

export class CTensor implements Tensor {
  readonly #handle: bigint
  readonly #ort: OrtLibrary
  /** Asked of the library when it was the library that made the tensor, and only if somebody wants to know. */
  #info: Shape | undefined
  #data: TensorData | undefined
  #released = false

  constructor(ort: OrtLibrary, handle: bigint, info?: Shape, data?: TensorData) {
    this.#ort = ort
    this.#handle = handle
    this.#info = info
    this.#data = data
  }

  get handle(): bigint {
    if (this.#released) throw afterDispose('tensor')
    return this.#handle
  }

  get type(): ElementType {
    return this.#described().type
  }

  get dims(): readonly number[] {
    return this.#described().dims
  }

  get data(): TensorData {
    if (this.#data === undefined) {
      const count = this.dims.reduce((a, b) => a * b, 1)
      const address = this.#ort.make('GetTensorMutableData', this.handle)
      const bytes = count * elementBytes(this.type)
      this.#data = dataOf(this.type, bytes === 0 ? new ArrayBuffer(0) : koffi.view(address, bytes), 0, count)
    }
    return this.#data
  }

  dispose(): void {
    if (this.#released) return
    this.#released = true
    this.#data = undefined
    this.#ort.fn('ReleaseValue')(this.#handle)
  }

  #described(): Shape {
    this.#info ??= readValueInfo(this.#ort, this.handle)
    return this.#info
  }
}

/** The inputs or outputs of a session, as its graph declares them. */
export function readInfos(ort: OrtLibrary, session: bigint, kind: 'Input' | 'Output'): TensorInfo[] {
  const count = Number(ort.make(`SessionGet${kind}Count`, session))
  return Array.from({ length: count }, (_, i) => {
    const namePointer = ort.make(`SessionGet${kind}Name`, session, i, ort.allocator)
    const name = koffi.decode.string(namePointer)
    ort.call('AllocatorFree', ort.allocator, namePointer)
    const typeInfo = ort.make(`SessionGet${kind}TypeInfo`, session, i)
    try {
      const shape = ort.make('CastTypeInfoToTensorInfo', typeInfo) // borrowed from typeInfo
      if (shape === 0n) return { name, type: 'other', dims: [] }
      return { name, ...readShape(ort, shape) }
    } finally {
      ort.fn('ReleaseTypeInfo')(typeInfo)
    }
  })
}

function readShape(ort: OrtLibrary, shape: bigint): { type: ElementType; dims: (number | string)[] } {
  const code = new Int32Array(stableMemory(4))
  ort.call('GetTensorElementType', shape, code)
  const rank = Number(ort.make('GetDimensionsCount', shape))
  const sizes = new BigInt64Array(stableMemory(8 * rank))
  const names = new BigUint64Array(stableMemory(8 * rank))
  if (rank > 0) {
    ort.call('GetDimensions', shape, sizes, rank)
    ort.call('GetSymbolicDimensions', shape, names, rank)
  }
  const dims = Array.from(sizes, (size, i) => (size >= 0n ? Number(size) : koffi.decode.string(names[i]!)))
  return { type: ELEMENT_TYPES[code[0]!] ?? 'other', dims }
}

function readValueInfo(ort: OrtLibrary, value: bigint): Shape {
  const shape = ort.make('GetTensorTypeAndShape', value)
  try {
    const { type, dims } = readShape(ort, shape)
    return { type, dims: dims as number[] }
  } finally {
    ort.fn('ReleaseTensorTypeAndShapeInfo')(shape)
  }
}
