/**
 * A session that computes on a graphics card. States stay there. What we feed is copied there before each run, and of what
 * comes out only what is asked for is copied back: ids there, logits back, nothing else.
 *
 * Where a step is recorded, every tensor that it touches must be the same at the next one: feeds of a step have memory of their
 * own on the card, and each set of states that is bound has its own recording.
 */
import { SpoutError } from '../errors.ts'
import type { OrtLibrary } from './c-api.ts'
import { type CTensor, wrapTensor } from './c-tensor.ts'
import type { CpuSession } from './cpu-session.ts'
import { bytesOf, DeviceMemory, DeviceTensor } from './device-memory.ts'
import { NOT_RECORDED, RECORDING } from './device-provider.ts'
import type {
  DeviceUse,
  ElementType,
  PackedTensor,
  Session,
  Tensor,
  TensorData,
  TensorInfo,
} from './runtime.ts'
import { writeMemory } from './write-memory.ts'

/** Recordings hold memory of the card for good: a text beyond as many sets of states is computed without. */
const MOST_RECORDINGS = 32
/** Feeds of a step: an id, a length, a position in up to three rows. */
const STEP_ELEMENTS = 3

interface Feed {
  readonly type: ElementType
  readonly dims: readonly number[]
  readonly data: TensorData
  /** Where recording needs the same memory every time; otherwise the library copies what is bound. */
  readonly onDevice?: { readonly host: CTensor; readonly device: DeviceTensor }
}

export class GpuSession implements Session {
  readonly isOnGpu = true
  readonly writesInPlace = true
  readonly packedTensors: readonly PackedTensor[] = []
  readonly #ort: OrtLibrary
  readonly #inner: CpuSession
  readonly #memory: DeviceMemory
  readonly #isRecorded: boolean
  readonly #feeds = new Map<string, Feed>()
  /** Of feeds and outputs of a step, by name. */
  readonly #stepTensors = new Map<string, DeviceTensor>()
  /** What is copied back after a run. */
  readonly #wanted = new Map<string, { readonly host: CTensor; readonly device: DeviceTensor }>()
  /** States that are bound, by name; `undefined` for one that the next run makes. */
  readonly #states = new Map<string, DeviceTensor | undefined>()
  readonly #recordings = new Map<string, string>()
  #uploads = NO_COPIES
  #downloads = NO_COPIES
  /** The recording of the states that are bound; `undefined` until it is looked up. */
  #recording: string | undefined
  #recordingSet: string | undefined

  constructor(ort: OrtLibrary, inner: CpuSession, { isRecorded }: DeviceUse) {
    this.#ort = ort
    this.#inner = inner
    this.#isRecorded = isRecorded
    this.#memory = new DeviceMemory(ort, inner.handle)
  }

  get inputs(): readonly TensorInfo[] {
    return this.#inner.inputs
  }

  get outputs(): readonly TensorInfo[] {
    return this.#inner.outputs
  }

  /** Bytes copied to the card and from it since the session was made. */
  get traffic(): { readonly to: number; readonly from: number } {
    return this.#memory.traffic
  }

  /** How many runs are recorded, and how many tensors were ever made on the card. */
  get counts(): { readonly recordings: number; readonly tensors: number } {
    return { recordings: this.#recordings.size, tensors: this.#memory.created }
  }

  allocate(type: ElementType, dims: readonly number[]): Tensor {
    return this.#memory.allocate(type, dims)
  }

  wrap(type: ElementType, dims: readonly number[], data: TensorData): Tensor {
    return this.#inner.wrap(type, dims, data)
  }

  read(tensor: Tensor): TensorData {
    return tensor instanceof DeviceTensor ? this.#memory.read(tensor) : tensor.data
  }

  write(tensor: Tensor, data: TensorData): void {
    if (tensor instanceof DeviceTensor) this.#memory.write(tensor, data)
    else writeMemory(tensor, data)
  }

  bindInput(name: string, tensor: Tensor): void {
    this.#inner.bindInput(name, tensor)
    this.#setState(name, tensor as DeviceTensor)
  }

  bindBytes(name: string): never {
    throw new SpoutError('internal', `session: no bytes can be bound as ${name}`)
  }

  bindData(name: string, type: ElementType, data: TensorData, dims: readonly number[]): void {
    if (!this.#isRecorded) {
      this.#feeds.set(name, { type, data, dims: [...dims] })
      return
    }
    const before = this.#feeds.get(name)
    if (before?.data === data && isSame(before.dims, dims)) return
    this.#drop(name)
    const shape = { type, dims: [...dims] }
    const device = this.#feedTensor(name, type, shape.dims)
    const host = wrapTensor(this.#ort, shape, data)
    this.#inner.bindInput(name, device)
    this.#feeds.set(name, { ...shape, data, onDevice: { host, device } })
    this.#uploads = copiesOf(
      [...this.#feeds.values()].map(({ onDevice }) => onDevice!),
      'up',
    )
  }

  bindOutput(name: string, tensor?: Tensor): void {
    this.#forget(name)
    if (tensor instanceof DeviceTensor) {
      this.#inner.bindOutput(name, tensor)
      this.#setState(name, tensor)
    } else if (tensor !== undefined && this.#isRecorded) this.#bindWanted(name, tensor as CTensor)
    else this.#inner.bindOutput(name, tensor)
  }

  bindState(name: string): void {
    this.#inner.bindOutput(name, undefined, this.#memory.info)
    this.#setState(name, undefined)
  }

  takeOutput(name: string): Tensor {
    const taken = this.#inner.takeOutput(name)
    return this.#states.has(name) ? this.#memory.adopt(taken as CTensor) : taken
  }

  async run(signal?: AbortSignal, isStep = false): Promise<void> {
    signal?.throwIfAborted()
    if (this.#isRecorded) {
      this.#copy(this.#uploads, 'to')
      this.#chooseRecording(isStep)
    } else this.#bindFeeds()
    await this.#inner.run(signal, isStep)
    this.#copy(this.#downloads, 'from')
  }

  async dispose(): Promise<void> {
    await this.#inner.dispose()
    for (const name of [...this.#feeds.keys()]) this.#drop(name)
    for (const tensor of this.#stepTensors.values()) tensor.release()
    this.#memory.dispose()
  }

  /** The library copies what is bound at once, so what may have changed since is bound anew. */
  #bindFeeds(): void {
    for (const [name, { type, data, dims }] of this.#feeds) {
      this.#inner.bindData(name, type, data, dims)
      this.#memory.traffic.to += bytesOf({ type, dims })
    }
  }

  #feedTensor(name: string, type: ElementType, dims: readonly number[]): DeviceTensor {
    if (dims.reduce((a, b) => a * b, 1) > STEP_ELEMENTS) return this.#memory.allocate(type, dims)
    return this.#stepTensor(name, type, dims)
  }

  #stepTensor(name: string, type: ElementType, dims: readonly number[]): DeviceTensor {
    const key = `${name} ${dims.join()}`
    let tensor = this.#stepTensors.get(key)
    if (tensor === undefined) {
      tensor = this.#memory.allocate(type, dims)
      this.#stepTensors.set(key, tensor)
    }
    return tensor
  }

  #bindWanted(name: string, host: CTensor): void {
    const { type, dims } = host
    const device = this.#stepTensor(name, type, dims)
    this.#inner.bindOutput(name, device)
    // The caller may let go of its tensor; the memory under it is the caller's as well, and stays.
    this.#wanted.set(name, { host: wrapTensor(this.#ort, { type, dims: [...dims] }, host.data), device })
    this.#downloads = copiesOf([...this.#wanted.values()], 'down')
  }

  /** An output is no longer copied back. */
  #forget(name: string): void {
    const wanted = this.#wanted.get(name)
    if (wanted === undefined) return
    wanted.host.dispose()
    this.#wanted.delete(name)
    this.#downloads = copiesOf([...this.#wanted.values()], 'down')
  }

  #drop(name: string): void {
    const { onDevice } = this.#feeds.get(name) ?? {}
    onDevice?.host.dispose()
    if (onDevice !== undefined && ![...this.#stepTensors.values()].includes(onDevice.device)) {
      onDevice.device.dispose()
    }
    this.#feeds.delete(name)
  }

  #setState(name: string, tensor: DeviceTensor | undefined): void {
    if (this.#states.get(name) === tensor && this.#states.has(name)) return
    this.#states.set(name, tensor)
    this.#recording = undefined
  }

  /** Whose commands the run gives to the card. */
  #chooseRecording(isStep: boolean): void {
    if (isStep) this.#recording ??= this.#recordingOfStates()
    const chosen = (isStep ? this.#recording : undefined) ?? NOT_RECORDED
    if (chosen === this.#recordingSet) return
    this.#inner.setRunOption(RECORDING, chosen)
    this.#recordingSet = chosen
  }

  #recordingOfStates(): string {
    const states = [...this.#states.values()]
    if (states.includes(undefined)) return NOT_RECORDED
    const key = states.map((tensor) => tensor!.serial).join()
    const known = this.#recordings.get(key)
    if (known !== undefined) return known
    if (this.#recordings.size >= MOST_RECORDINGS) return NOT_RECORDED
    const id = String(this.#recordings.size + 1)
    this.#recordings.set(key, id)
    return id
  }

  #copy({ from, to, count, bytes }: Copies, way: 'to' | 'from'): void {
    if (count === 0) return
    this.#memory.copy(from, to, count)
    this.#memory.traffic[way] += bytes
  }
}

/** Handles of tensors, and how many bytes they hold. */
interface Copies {
  readonly from: BigUint64Array
  readonly to: BigUint64Array
  readonly count: number
  readonly bytes: number
}

const NO_COPIES: Copies = { from: new BigUint64Array(0), to: new BigUint64Array(0), count: 0, bytes: 0 }

function copiesOf(pairs: readonly { host: CTensor; device: DeviceTensor }[], way: 'up' | 'down'): Copies {
  const hosts = BigUint64Array.from(pairs, ({ host }) => host.handle)
  const devices = BigUint64Array.from(pairs, ({ device }) => device.handle)
  const bytes = pairs.reduce((sum, { device }) => sum + bytesOf(device), 0)
  const [from, to] = way === 'up' ? [hosts, devices] : [devices, hosts]
  return { from, to, count: pairs.length, bytes }
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i])
}
