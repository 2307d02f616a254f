/**
 * The same interface over onnxruntime-node's own API. Its `run()` holds the main thread and copies every output, so
 * this is the fallback where the C API cannot be opened, and the reference the fast runtime is compared with.
 */
import type { InferenceSession } from 'onnxruntime-node'
import { afterDispose, SpoutError } from '../errors.ts'
import { dataOf, elementBytes } from './element-types.ts'
import { ortError } from './ort-error.ts'
import type {
  ElementType,
  GraphSource,
  Runtime,
  Session,
  SessionOptions,
  Tensor,
  TensorData,
  TensorInfo,
} from './runtime.ts'
import { writeMemory } from './write-memory.ts'

export async function openNodeRuntime(): Promise<Runtime> {
  process.env.ORT_DISABLE_TELEMETRY = '1'
  const ort = await import('onnxruntime-node')
  return {
    name: 'node',
    noOwnKernels: 'they need --runtime c-api',
    version: async () => ort.env.versions.node ?? '',
    async createSession(graph: GraphSource, options: SessionOptions): Promise<Session> {
      try {
        const { InferenceSession } = ort
        const settings = nativeOptions(graph, options)
        const native =
          graph.path === undefined
            ? await InferenceSession.create(graph.bytes, settings)
            : await InferenceSession.create(graph.path, settings)
        return new NodeSession(native)
      } catch (cause) {
        throw failed(cause)
      }
    },
  }
}

function nativeOptions(graph: GraphSource, options: SessionOptions): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    enableMemPattern: false,
    logSeverityLevel: 4,
    extra: {
      session: {
        intra_op: { allow_spinning: options.spinning ? '1' : '0' },
        set_denormal_as_zero: '1',
        model_external_initializers_file_folder_path: graph.weightsFolder,
      },
    },
  }
}

/** A plain object with the four properties that the native side reads. */
class NodeTensor implements Tensor {
  readonly location = 'cpu'
  readonly type: ElementType
  readonly dims: readonly number[]
  readonly data: TensorData

  constructor(type: ElementType, dims: readonly number[], data: TensorData) {
    this.type = type
    this.dims = dims
    this.data = data
  }

  dispose(): void {}
}

class NodeSession implements Session {
  readonly packedTensors = []
  readonly isOnGpu = false
  readonly writesInPlace = false
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  readonly #native: InferenceSession
  readonly #feeds: Record<string, NodeTensor> = {}
  readonly #fetches = new Map<string, NodeTensor | undefined>()
  readonly #taken = new Map<string, NodeTensor>()
  #running: Promise<unknown> | undefined
  #disposing: Promise<void> | undefined

  constructor(native: InferenceSession) {
    this.#native = native
    this.inputs = native.inputMetadata.map(tensorInfo)
    this.outputs = native.outputMetadata.map(tensorInfo)
  }

  allocate(type: ElementType, dims: readonly number[]): Tensor {
    const count = dims.reduce((a, b) => a * b, 1)
    return new NodeTensor(type, dims, dataOf(type, new ArrayBuffer(count * elementBytes(type)), 0, count))
  }

  wrap(type: ElementType, dims: readonly number[], data: TensorData): Tensor {
    return new NodeTensor(type, dims, data)
  }

  read({ data }: Tensor): TensorData {
    return data
  }

  write(tensor: Tensor, data: TensorData): void {
    writeMemory(tensor, data)
  }

  bindInput(name: string, tensor: Tensor): void {
    this.#feeds[name] = tensor as NodeTensor
  }

  bindBytes(name: string): never {
    throw new SpoutError('internal', `session: no bytes can be bound as ${name}`)
  }

  bindData(name: string, type: ElementType, data: TensorData, dims: readonly number[]): void {
    const count = dims.reduce((a, b) => a * b, 1)
    this.#feeds[name] = new NodeTensor(type, [...dims], data.subarray(0, count) as TensorData)
  }

  bindOutput(name: string, tensor?: Tensor): void {
    this.#fetches.set(name, tensor as NodeTensor | undefined)
  }

  bindState(name: string): void {
    this.bindOutput(name)
  }

  async run(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#disposing !== undefined) throw afterDispose('session')
    if (this.#running !== undefined) throw new SpoutError('usage', 'session: it runs already')
    this.#taken.clear()
    let results: Record<string, { type: string; dims: readonly number[]; data: unknown }>
    try {
      const names = [...this.#fetches.keys()]
      const running = this.#native.run(this.#feeds as never, names)
      this.#running = running
      results = (await running) as never
    } catch (cause) {
      throw failed(cause)
    } finally {
      this.#running = undefined
    }
    for (const [name, target] of this.#fetches) {
      const { type, dims, data } = results[name]!
      const bits = asBits(data as TensorData)
      if (target === undefined) this.#taken.set(name, new NodeTensor(type as ElementType, dims, bits))
      else (target.data as Uint8Array).set(bits as Uint8Array)
    }
    signal?.throwIfAborted()
  }

  takeOutput(name: string): Tensor {
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
    await this.#native.release()
  }
}

/** Where Float16Array exists (Node 24) outputs come as one; the native side takes only the bits back. */
function asBits(data: TensorData): TensorData {
  if (data.constructor.name !== 'Float16Array') return data
  return new Uint16Array(data.buffer, data.byteOffset, data.length)
}

function tensorInfo(value: InferenceSession.ValueMetadata): TensorInfo {
  return value.isTensor
    ? { name: value.name, type: value.type as ElementType, dims: value.shape }
    : { name: value.name, type: 'other', dims: [] }
}

function failed(cause: unknown): SpoutError {
  return ortError(cause instanceof Error ? cause.message : String(cause), cause)
}
