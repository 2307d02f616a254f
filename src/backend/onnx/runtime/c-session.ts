/** Sessions, tensors and bindings over the C API. No output is copied; loading and running leave the main thread free. */
import { basename } from 'node:path'
import koffi from 'koffi'
import { afterDispose, SpoutError } from '../../../errors.ts'
import { packedBytes, packedDims } from '../../../kernels/matmul/matmul-shape.ts'
import type { OwnOperators } from '../../../kernels/operators.ts'
import { mayRunOwnProducts } from '../../../system/cpu-features.ts'
import { mayExecute } from '../../../system/executable-memory.ts'
import { tameHeap } from '../../../system/glibc-malloc.ts'
import { stableMemory } from '../../../system/stable-memory.ts'
import { cString, type NativeFunction, type OrtLibrary, openOrt } from './c-api.ts'
import { dataOf, ELEMENT_TYPES, elementBytes, typeCode } from './element-types.ts'
import { loadOwnWeights, type OwnTensor, type OwnWeights } from './own-weights.ts'
import { addOwnOperators } from './register-operators.ts'
import type {
  ElementType,
  GraphSource,
  HeldTensor,
  Runtime,
  Session,
  SessionOptions,
  Tensor,
  TensorData,
  TensorInfo,
} from './runtime.ts'

/** @throws Error when the library cannot be opened here; `open-runtime.ts` then takes the other binding. */
export function openCApiRuntime(): Runtime {
  tameHeap()
  const opening = openOrt()
  // A failure is met by whoever creates a session.
  opening.catch(() => undefined)
  return {
    name: 'c-api',
    get noOwnKernels() {
      if (!mayRunOwnProducts()) return 'they need a processor with AVX-512 VNNI, and Linux'
      return mayExecute() ? undefined : 'this system runs no code that is made while it runs'
    },
    version: async () => (await opening).version,
    createSession: async (graph, options) => CSession.create(await opening, graph, options),
  }
}

/** Steps of one token that take less are run in place: a hop to another thread costs about 0.1 ms. */
const IN_PLACE_MS = 40
/** How long runs in place may follow each other before the event loop gets a turn: signals, timers, the spinner. */
const LOOP_PAUSE_MS = 10

interface Shape {
  readonly type: ElementType
  readonly dims: readonly number[]
}

class CTensor implements Tensor {
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

interface OwnParts {
  readonly own: OwnWeights | undefined
  readonly operators: OwnOperators | undefined
}

class CSession implements Session {
  readonly writesInPlace = true
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  readonly operators: OwnOperators | undefined
  readonly #ort: OrtLibrary
  readonly #session: bigint
  readonly #own: OwnWeights | undefined
  readonly #binding: bigint
  readonly #runBinding: NativeFunction
  readonly #runOptions: bigint
  readonly #names = new Map<string, Uint8Array>()
  /** Memory of ours that is bound: referenced, so that it is not collected. */
  readonly #held = new Map<string, TensorData>()
  /** Scratch of `bindData`: a shape as low and high halves of int64, and the handle that comes back. */
  readonly #shape = new Int32Array(stableMemory(8 * 8))
  readonly #handle = new BigUint64Array(stableMemory(8))
  /** Output names in the order in which they were bound, which is the order of GetBoundOutputValues. */
  readonly #boundOutputs: string[] = []
  #taken: Map<string, Tensor> | undefined
  #lastStepMs = Number.POSITIVE_INFINITY
  #lastPause = 0
  #running: Promise<void> | undefined
  #disposing: Promise<void> | undefined

  static async create(ort: OrtLibrary, graph: GraphSource, options: SessionOptions): Promise<CSession> {
    const sessionOptions = ort.make('CreateSessionOptions')
    // The native side reads and writes these while it works: they must not be collected before.
    const memory = { graph, handle: new BigUint64Array(stableMemory(8)) }
    loading.add(memory)
    const heap = tameHeap()
    if (graph.isOptimized) heap.hold()
    let own: OwnWeights | undefined
    try {
      if (graph.weights !== undefined && graph.weights.length > 0) own = loadOwnWeights(graph.weights)
      configure(ort, sessionOptions, graph, options)
      const { handle } = memory
      if (graph.path !== undefined) {
        await ort.callAsync('CreateSession', ort.env, pathString(graph.path), sessionOptions, handle)
      } else {
        const { bytes } = graph
        const length = bytes.byteLength
        await ort.callAsync('CreateSessionFromArray', ort.env, bytes, length, sessionOptions, handle)
      }
      await own?.ready
      return new CSession(ort, handle[0]!, { own, operators: graph.operators })
    } catch (error) {
      if (memory.handle[0] !== 0n) ort.fn('ReleaseSession')(memory.handle[0])
      await own?.dispose()
      throw error
    } finally {
      heap.settle()
      loading.delete(memory)
      ort.fn('ReleaseSessionOptions')(sessionOptions)
    }
  }

  private constructor(ort: OrtLibrary, session: bigint, { own, operators }: OwnParts) {
    this.operators = operators
    this.#ort = ort
    this.#session = session
    this.#own = own
    const held = new Set(own?.tensors.map(({ name }) => name))
    this.inputs = readInfos(ort, session, 'Input').filter(({ name }) => !held.has(name))
    this.outputs = readInfos(ort, session, 'Output')
    this.#binding = ort.make('CreateIoBinding', session)
    this.#runBinding = ort.fn('RunWithBinding')
    this.#runOptions = ort.make('CreateRunOptions')
    for (const tensor of own?.tensors ?? []) this.#bindHeld(tensor)
  }

  get heldTensors(): readonly HeldTensor[] {
    this.#checkOpen()
    return (this.#own?.tensors ?? []).map(({ name, shape, address }) => {
      return { name, shape, data: new Uint8Array(koffi.view(address, packedBytes(shape))) }
    })
  }

  allocate(type: ElementType, dims: readonly number[]): Tensor {
    const shape = BigInt64Array.from(dims, BigInt)
    const handle = this.#ort.make(
      'CreateTensorAsOrtValue',
      this.#ort.allocator,
      shape,
      dims.length,
      typeCode(type),
    )
    return new CTensor(this.#ort, handle, { type, dims })
  }

  wrap(type: ElementType, dims: readonly number[], data: TensorData): Tensor {
    const shape = BigInt64Array.from(dims, BigInt)
    const handle = this.#ort.make(
      'CreateTensorWithDataAsOrtValue',
      this.#ort.cpuMemory,
      data,
      dims.reduce((a, b) => a * b, 1) * elementBytes(type),
      shape,
      dims.length,
      typeCode(type),
    )
    return new CTensor(this.#ort, handle, { type, dims }, data)
  }

  bindInput(name: string, tensor: Tensor): void {
    this.#checkOpen()
    this.#ort.check(this.#ort.fn('BindInput')(this.#binding, this.#name(name), (tensor as CTensor).handle))
  }

  bindData(name: string, type: ElementType, data: TensorData, dims: readonly number[]): void {
    this.#checkOpen()
    // The binding keeps a reference of its own, so the handle can go at once.
    const { fn, check, cpuMemory } = this.#ort
    let bytes = elementBytes(type)
    for (let i = 0; i < dims.length; i++) {
      this.#shape[2 * i] = dims[i]!
      bytes *= dims[i]!
    }
    check(
      fn('CreateTensorWithDataAsOrtValue')(
        cpuMemory,
        data,
        bytes,
        this.#shape,
        dims.length,
        typeCode(type),
        this.#handle,
      ),
    )
    this.#held.set(name, data)
    const handle = this.#handle[0]!
    check(fn('BindInput')(this.#binding, this.#name(name), handle))
    fn('ReleaseValue')(handle)
  }

  bindOutput(name: string, tensor?: Tensor): void {
    this.#checkOpen()
    if (!this.#boundOutputs.includes(name)) this.#boundOutputs.push(name)
    if (tensor === undefined) {
      this.#ort.call('BindOutputToDevice', this.#binding, this.#name(name), this.#ort.cpuMemory)
    } else {
      this.#ort.call('BindOutput', this.#binding, this.#name(name), (tensor as CTensor).handle)
    }
  }

  async run(signal?: AbortSignal, isStep = false): Promise<void> {
    signal?.throwIfAborted()
    this.#checkOpen()
    if (this.#running !== undefined) throw new SpoutError('usage', 'session: it runs already')
    this.#releaseTaken()
    const started = performance.now()
    const inPlace = isStep && this.#lastStepMs < IN_PLACE_MS
    if (inPlace) this.#ort.check(this.#runBinding(this.#session, this.#runOptions, this.#binding))
    else await this.#runOnPool(signal)
    const ended = performance.now()
    if (isStep) this.#lastStepMs = ended - started
    if (!inPlace) this.#lastPause = ended
    else if (ended - this.#lastPause > LOOP_PAUSE_MS) await this.#pause()
  }

  async #pause(): Promise<void> {
    await new Promise(setImmediate)
    this.#lastPause = performance.now()
  }

  takeOutput(name: string): Tensor {
    this.#checkOpen()
    this.#taken ??= this.#fetchOutputs()
    const tensor = this.#taken.get(name)
    if (tensor === undefined) throw new SpoutError('internal', `output ${name} was not bound or is taken`)
    this.#taken.delete(name)
    return tensor
  }

  dispose(): Promise<void> {
    this.#disposing ??= this.#dispose()
    return this.#disposing
  }

  async #dispose(): Promise<void> {
    await this.#running?.catch(() => undefined)
    this.#releaseTaken()
    this.#ort.fn('ReleaseIoBinding')(this.#binding)
    this.#ort.fn('ReleaseRunOptions')(this.#runOptions)
    this.#ort.fn('ReleaseSession')(this.#session)
    await this.#own?.dispose()
  }

  /** The library would follow pointers to what is gone. */
  #checkOpen(): void {
    if (this.#disposing !== undefined) throw afterDispose('session')
  }

  #bindHeld({ name, shape, address }: OwnTensor): void {
    const dims = BigInt64Array.from(packedDims(shape), BigInt)
    const { cpuMemory } = this.#ort
    const value = this.#ort.make(
      'CreateTensorWithDataAsOrtValue',
      cpuMemory,
      address,
      packedBytes(shape),
      dims,
      dims.length,
      typeCode('uint8'),
    )
    this.#ort.call('BindInput', this.#binding, this.#name(name), value)
    this.#ort.fn('ReleaseValue')(value)
  }

  async #runOnPool(signal: AbortSignal | undefined): Promise<void> {
    const terminate = (): void => this.#ort.call('RunOptionsSetTerminate', this.#runOptions)
    signal?.addEventListener('abort', terminate, { once: true })
    try {
      this.#running = this.#ort.callAsync('RunWithBinding', this.#session, this.#runOptions, this.#binding)
      await this.#running
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    } finally {
      this.#running = undefined
      signal?.removeEventListener('abort', terminate)
      if (signal?.aborted) this.#ort.call('RunOptionsUnsetTerminate', this.#runOptions)
    }
  }

  /** All values bound as outputs; each is a new reference, so those not asked for are released again. */
  #fetchOutputs(): Map<string, Tensor> {
    const out = new BigUint64Array(stableMemory(16))
    const ort = this.#ort
    ort.call('GetBoundOutputValues', this.#binding, ort.allocator, out.subarray(0, 1), out.subarray(1, 2))
    const count = Number(out[1])
    const handles = new BigUint64Array(koffi.view(out[0]!, count * 8).slice(0))
    ort.call('AllocatorFree', ort.allocator, out[0])
    return new Map(
      this.#boundOutputs.map((name, i) => {
        return [name, new CTensor(ort, handles[i]!)]
      }),
    )
  }

  #releaseTaken(): void {
    for (const tensor of this.#taken?.values() ?? []) tensor.dispose()
    this.#taken = undefined
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

const loading = new Set<object>()

function configure(ort: OrtLibrary, handle: bigint, graph: GraphSource, options: SessionOptions): void {
  const entry = (key: string, value: string): void => ort.call('AddSessionConfigEntry', handle, key, value)
  ort.call('SetIntraOpNumThreads', handle, options.threads)
  ort.call('SetInterOpNumThreads', handle, 1)
  // The mask grows by one each step: every shape would leave a pattern behind and none would be used again.
  ort.call('DisableMemPattern', handle)
  entry('session.intra_op.allow_spinning', options.spinning ? '1' : '0')
  entry('session.set_denormal_as_zero', '1')
  ort.call('SetSessionGraphOptimizationLevel', handle, graph.isOptimized ? OPTIMIZE_NOTHING : OPTIMIZE_ALL)
  entry('session.model_external_initializers_file_folder_path', graph.weightsFolder)
  if (graph.operators !== undefined) addOwnOperators(ort, handle, graph.operators)
  if (options.writeOptimizedTo === undefined) return
  ort.call('SetOptimizedModelFilePath', handle, pathString(options.writeOptimizedTo))
  entry(
    'session.optimized_model_external_initializers_file_name',
    `${basename(options.writeOptimizedTo)}.data`,
  )
  entry('session.optimized_model_external_initializers_min_size_in_bytes', '1024')
  entry('session.save_external_prepacked_constant_initializers', '1')
}

const OPTIMIZE_NOTHING = 0
const OPTIMIZE_ALL = 99

/** A path as ONNX Runtime takes it: wide characters on Windows. */
function pathString(path: string): Uint8Array {
  return process.platform === 'win32' ? Buffer.from(`${path}\0`, 'utf16le') : cString(path)
}

function readInfos(ort: OrtLibrary, session: bigint, kind: 'Input' | 'Output'): TensorInfo[] {
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

function readValueInfo(ort: OrtLibrary, value: bigint): { type: ElementType; dims: number[] } {
  const shape = ort.make('GetTensorTypeAndShape', value)
  try {
    const { type, dims } = readShape(ort, shape)
    return { type, dims: dims as number[] }
  } finally {
    ort.fn('ReleaseTensorTypeAndShapeInfo')(shape)
  }
}
