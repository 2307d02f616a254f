/**
 * Memory of a graphics card. What is freed is kept for the next that asks for as much: a recorded run names the memory it was
 * recorded with, so a text that gets the memory of the one before needs no recording of its own.
 */
import { SpoutError } from '../errors.ts'
import type { OrtLibrary } from './c-api.ts'
import { allocateValue, CTensor, type Shape, wrapTensor } from './c-tensor.ts'
import { dataOf, elementBytes } from './element-types.ts'
import type { ElementType, TensorData } from './runtime.ts'

/** The most that is kept for whoever comes next. */
const KEPT_BYTES = 1 << 30

/** A tensor whose bytes the processor cannot see. */
export class DeviceTensor extends CTensor {
  /** Never given twice, unlike a handle. */
  readonly serial: number
  readonly #free: (() => void) | undefined

  constructor(ort: OrtLibrary, handle: bigint, parts: { info?: Shape; serial: number; free?: () => void }) {
    super(ort, handle, parts.info)
    this.serial = parts.serial
    this.#free = parts.free
  }

  override get data(): TensorData {
    throw new SpoutError('internal', 'gpu: a tensor is read where it is not')
  }

  override dispose(): void {
    if (this.#free === undefined) this.release()
    else this.#free()
  }

  /** For good. */
  release(): void {
    super.dispose()
  }
}

export class DeviceMemory {
  /** What a binding is told to allocate an output in. */
  readonly info: bigint
  /** Bytes copied to the card and from it. */
  readonly traffic = { to: 0, from: 0 }
  readonly #ort: OrtLibrary
  readonly #allocator: bigint
  /** By type and shape, in the order in which they were freed. */
  readonly #kept = new Map<string, DeviceTensor[]>()
  #keptBytes = 0
  #serial = 0

  constructor(ort: OrtLibrary, session: bigint) {
    this.#ort = ort
    this.info = ort.make('CreateMemoryInfo', 'WebGPU_Buf', 0, 0, 0)
    this.#allocator = ort.make('CreateAllocator', session, this.info)
  }

  /** Tensors that were made, rather than given again. */
  get created(): number {
    return this.#serial
  }

  allocate(type: ElementType, dims: readonly number[]): DeviceTensor {
    const info = { type, dims }
    const kept = this.#kept.get(keyOf(info))?.shift()
    if (kept !== undefined) {
      this.#keptBytes -= bytesOf(info)
      return this.#tensor(kept.handle, info, kept.serial)
    }
    return this.#tensor(allocateValue(this.#ort, this.#allocator, info), info, this.#serial++)
  }

  /** What a run allocated there. */
  adopt(value: CTensor): DeviceTensor {
    return new DeviceTensor(this.#ort, value.handle, { serial: this.#serial++ })
  }

  /** A copy of what a tensor holds. */
  read(tensor: DeviceTensor): TensorData {
    const { type, dims } = tensor
    const count = dims.reduce((a, b) => a * b, 1)
    const data = dataOf(type, new ArrayBuffer(Math.max(STABLE_BYTES, count * elementBytes(type))), 0, count)
    if (count > 0) this.#copyOne({ type, dims }, data, (host) => [tensor, host])
    this.traffic.from += bytesOf(tensor)
    return data
  }

  write(tensor: DeviceTensor, data: TensorData): void {
    const { type, dims } = tensor
    if (bytesOf(tensor) > 0) this.#copyOne({ type, dims }, data, (host) => [host, tensor])
    this.traffic.to += bytesOf(tensor)
  }

  /** Copies between tensors by their handles. Allocates nothing: it is part of every step. */
  copy(from: BigUint64Array, to: BigUint64Array, count: number): void {
    this.#ort.check(this.#ort.fn('CopyTensors')(this.#ort.env, from, to, null, count))
  }

  dispose(): void {
    for (const tensors of this.#kept.values()) for (const tensor of tensors) tensor.release()
    this.#kept.clear()
    this.#ort.fn('ReleaseAllocator')(this.#allocator)
    this.#ort.fn('ReleaseMemoryInfo')(this.info)
  }

  #tensor(handle: bigint, info: Shape, serial: number): DeviceTensor {
    let isFree = false
    const tensor: DeviceTensor = new DeviceTensor(this.#ort, handle, {
      info,
      serial,
      free: () => {
        if (!isFree) this.#keep(tensor, info)
        isFree = true
      },
    })
    return tensor
  }

  #keep(tensor: DeviceTensor, info: Shape): void {
    if (this.#keptBytes + bytesOf(info) > KEPT_BYTES) {
      tensor.release()
      return
    }
    const key = keyOf(info)
    this.#kept.set(key, [...(this.#kept.get(key) ?? []), tensor])
    this.#keptBytes += bytesOf(info)
  }

  #copyOne(shape: Shape, data: TensorData, order: (host: CTensor) => readonly [CTensor, CTensor]): void {
    const host = wrapTensor(this.#ort, shape, data)
    const [from, to] = order(host)
    this.copy(BigUint64Array.of(from.handle), BigUint64Array.of(to.handle), 1)
    host.dispose()
  }
}

/** V8 moves what is smaller. */
const STABLE_BYTES = 128

const keyOf = ({ type, dims }: Shape): string => `${type} ${dims.join()}`

export const bytesOf = ({ type, dims }: Shape): number => dims.reduce((a, b) => a * b, elementBytes(type))
