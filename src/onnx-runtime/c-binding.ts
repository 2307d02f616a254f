/**
 * What a session reads and writes in its next run: names bound to tensors (`OrtIoBinding`). The library keeps a reference
 * to every tensor that is bound; memory of ours under such a tensor is kept here.
 */
import koffi from 'koffi'
import { SpoutError } from '../errors.ts'
import { stableMemory } from '../system/stable-memory.ts'
import { cString, type OrtLibrary } from './c-api.ts'
import { CTensor, tensorOver } from './c-tensor.ts'
import { elementBytes, typeCode } from './element-types.ts'
import type { ElementType, Tensor, TensorData } from './runtime.ts'

export class CBinding {
  readonly handle: bigint
  readonly #ort: OrtLibrary
  readonly #names = new Map<string, Uint8Array>()
  /** Memory of ours that is bound: referenced, so that it is not collected. */
  readonly #boundData = new Map<string, TensorData>()
  /** Scratch of `bindData`: a shape as low and high halves of int64, and the handle that comes back. */
  readonly #shape = new Int32Array(stableMemory(8 * 8))
  readonly #newValue = new BigUint64Array(stableMemory(8))
  /** Output names in the order in which they were bound, which is the order of GetBoundOutputValues. */
  readonly #boundOutputs: string[] = []
  #taken: Map<string, Tensor> | undefined

  constructor(ort: OrtLibrary, session: bigint) {
    this.#ort = ort
    this.handle = ort.make('CreateIoBinding', session)
  }

  bindInput(name: string, tensor: CTensor): void {
    this.#ort.check(this.#ort.fn('BindInput')(this.handle, this.#name(name), tensor.handle))
  }

  /** Binds the first elements of `data`, as many as `dims` says. Allocates nothing: it is part of every step. */
  bindData(name: string, type: ElementType, data: TensorData, dims: readonly number[]): void {
    const { fn, check, cpuMemory } = this.#ort
    let bytes = elementBytes(type)
    for (let i = 0; i < dims.length; i++) {
      this.#shape[2 * i] = dims[i]!
      bytes *= dims[i]!
    }
    const make = fn('CreateTensorWithDataAsOrtValue')
    check(make(cpuMemory, data, bytes, this.#shape, dims.length, typeCode(type), this.#newValue))
    this.#boundData.set(name, data)
    this.#bindValue(name, this.#newValue[0]!)
  }

  /** Binds bytes that last as long as this. */
  bindBytes(name: string, address: bigint, dims: readonly number[]): void {
    this.#bindValue(name, tensorOver(this.#ort, { type: 'uint8', dims }, address))
  }

  /** @param memory where the library allocates an output without a tensor. */
  bindOutput(name: string, tensor?: CTensor, memory: bigint = this.#ort.cpuMemory): void {
    if (!this.#boundOutputs.includes(name)) this.#boundOutputs.push(name)
    if (tensor === undefined) {
      this.#ort.call('BindOutputToDevice', this.handle, this.#name(name), memory)
    } else {
      this.#ort.call('BindOutput', this.handle, this.#name(name), tensor.handle)
    }
  }

  /** What the last run made for an output bound without a tensor. The caller owns it. */
  takeOutput(name: string): Tensor {
    this.#taken ??= this.#fetchOutputs()
    const tensor = this.#taken.get(name)
    if (tensor === undefined) throw new SpoutError('internal', `output ${name} was not bound or is taken`)
    this.#taken.delete(name)
    return tensor
  }

  /** Lets go of what was fetched of the last run and not taken. */
  releaseTaken(): void {
    for (const tensor of this.#taken?.values() ?? []) tensor.dispose()
    this.#taken = undefined
  }

  dispose(): void {
    this.releaseTaken()
    this.#ort.fn('ReleaseIoBinding')(this.handle)
  }

  /** The binding keeps a reference of its own, so the handle can go at once. */
  #bindValue(name: string, value: bigint): void {
    const { fn, check } = this.#ort
    check(fn('BindInput')(this.handle, this.#name(name), value))
    fn('ReleaseValue')(value)
  }

  /** All values bound as outputs; each is a new reference, so those not asked for are released again. */
  #fetchOutputs(): Map<string, Tensor> {
    const out = new BigUint64Array(stableMemory(16))
    const ort = this.#ort
    ort.call('GetBoundOutputValues', this.handle, ort.allocator, out.subarray(0, 1), out.subarray(1, 2))
    const count = Number(out[1])
    const handles = new BigUint64Array(koffi.view(out[0]!, count * 8).slice(0))
    ort.call('AllocatorFree', ort.allocator, out[0])
    return new Map(this.#boundOutputs.map((name, i) => [name, new CTensor(ort, handles[i]!)]))
  }

  #name(name: string): Uint8Array {
    let bytes = this.#names.get(name)
    if (bytes === undefined) {
      bytes = cString(name)
      this.#names.set(name, bytes)
    }
    return bytes
  }
}
