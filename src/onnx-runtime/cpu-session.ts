/** Sessions over the C API. No output is copied; loading and running leave the main thread free. */
import koffi from 'koffi'
import { afterDispose, SpoutError } from '../errors.ts'
import type { NativeFunction, OrtLibrary } from './c-api.ts'
import { CBinding } from './c-binding.ts'
import { allocateTensor, type CTensor, readInfos, wrapTensor } from './c-tensor.ts'
import { type NativeSession, releaseNativeSession } from './native-session.ts'
import type { ElementType, PackedTensor, Session, Tensor, TensorData, TensorInfo } from './runtime.ts'
import { StepPace } from './step-pace.ts'
import { writeMemory } from './write-memory.ts'

export class CpuSession implements Session {
  readonly isOnGpu = false
  readonly writesInPlace = true
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  readonly #ort: OrtLibrary
  readonly #native: NativeSession
  readonly #binding: CBinding
  readonly #runBinding: NativeFunction
  readonly #runOptions: bigint
  readonly #pace = new StepPace()
  #running: Promise<void> | undefined
  #disposing: Promise<void> | undefined

  constructor(ort: OrtLibrary, native: NativeSession) {
    this.#ort = ort
    this.#native = native
    const { handle, weights } = native
    const held = weights?.tensors ?? []
    const isHeld = new Set(held.map(({ name }) => name))
    this.inputs = readInfos(ort, handle, 'Input').filter(({ name }) => !isHeld.has(name))
    this.outputs = readInfos(ort, handle, 'Output')
    this.#binding = new CBinding(ort, handle)
    this.#runBinding = ort.fn('RunWithBinding')
    this.#runOptions = ort.make('CreateRunOptions')
    for (const { name, address, dims } of held) this.#binding.bindBytes(name, address, dims)
  }

  get packedTensors(): readonly PackedTensor[] {
    this.#checkOpen()
    return (this.#native.weights?.tensors ?? []).map(({ name, dims, bytes, address }) => {
      return { name, dims, data: new Uint8Array(koffi.view(address, bytes)) }
    })
  }

  allocate(type: ElementType, dims: readonly number[]): Tensor {
    return allocateTensor(this.#ort, type, dims)
  }

  read({ data }: Tensor): TensorData {
    return data
  }

  write(tensor: Tensor, data: TensorData): void {
    writeMemory(tensor, data)
  }

  wrap(type: ElementType, dims: readonly number[], data: TensorData): Tensor {
    return wrapTensor(this.#ort, { type, dims }, data)
  }

  bindInput(name: string, tensor: Tensor): void {
    this.#checkOpen()
    this.#binding.bindInput(name, tensor as CTensor)
  }

  bindData(name: string, type: ElementType, data: TensorData, dims: readonly number[]): void {
    this.#checkOpen()
    this.#binding.bindData(name, type, data, dims)
  }

  bindBytes(name: string, address: bigint, dims: readonly number[]): void {
    this.#checkOpen()
    this.#binding.bindBytes(name, address, dims)
  }

  /** @param memory where the library allocates an output without a tensor. */
  bindOutput(name: string, tensor?: Tensor, memory?: bigint): void {
    this.#checkOpen()
    this.#binding.bindOutput(name, tensor as CTensor | undefined, memory)
  }

  bindState(name: string): void {
    this.bindOutput(name)
  }

  takeOutput(name: string): Tensor {
    this.#checkOpen()
    return this.#binding.takeOutput(name)
  }

  async run(signal?: AbortSignal, isStep = false): Promise<void> {
    signal?.throwIfAborted()
    this.#checkOpen()
    if (this.#running !== undefined) throw new SpoutError('usage', 'session: it runs already')
    this.#binding.releaseTaken()
    const started = performance.now()
    const inPlace = this.#pace.isInPlace(isStep)
    if (inPlace)
      this.#ort.check(this.#runBinding(this.#native.handle, this.#runOptions, this.#binding.handle))
    else await this.#runOnPool(signal)
    const isDue = this.#pace.ran(started, performance.now(), { isStep, inPlace })
    if (isDue) await this.#letLoopTurn()
  }

  get handle(): bigint {
    return this.#native.handle
  }

  /** An option of the runs to come. */
  setRunOption(key: string, value: string): void {
    this.#ort.call('AddRunConfigEntry', this.#runOptions, key, value)
  }

  dispose(): Promise<void> {
    this.#disposing ??= this.#dispose()
    return this.#disposing
  }

  async #dispose(): Promise<void> {
    await this.#running?.catch(() => undefined)
    this.#binding.dispose()
    this.#ort.fn('ReleaseRunOptions')(this.#runOptions)
    await releaseNativeSession(this.#ort, this.#native)
  }

  /** The library would follow pointers to what is gone. */
  #checkOpen(): void {
    if (this.#disposing !== undefined) throw afterDispose('session')
  }

  async #letLoopTurn(): Promise<void> {
    await new Promise(setImmediate)
    this.#pace.turned(performance.now())
  }

  async #runOnPool(signal: AbortSignal | undefined): Promise<void> {
    const ort = this.#ort
    const terminate = (): void => ort.call('RunOptionsSetTerminate', this.#runOptions)
    signal?.addEventListener('abort', terminate, { once: true })
    try {
      const { handle } = this.#binding
      this.#running = ort.callAsync('RunWithBinding', this.#native.handle, this.#runOptions, handle)
      await this.#running
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    } finally {
      this.#running = undefined
      signal?.removeEventListener('abort', terminate)
      if (signal?.aborted) ort.call('RunOptionsUnsetTerminate', this.#runOptions)
    }
  }
}
