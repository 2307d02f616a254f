/**
 * What the backend needs of a binding to ONNX Runtime: sessions, tensors, and names bound to tensors before a run.
 * Two implementations: `c-session.ts` (no copy, off the main thread) and `node-binding.ts` (the npm package's own API).
 */
import type { Isa } from '../kernels/isa.ts'
import type { KernelParts } from '../kernels/kernel-parts.ts'

export type ElementType =
  | 'float32'
  | 'float16'
  | 'int64'
  | 'int32'
  | 'int8'
  | 'uint8'
  | 'bool'
  | 'float64'
  | 'int16'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bfloat16'
  | 'other'

export type TensorData =
  | Float32Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int8Array
  | Uint8Array
  | Float64Array

/** An input or output as the graph declares it. A dimension is a size, or the name of a free one ('' if unnamed). */
export interface TensorInfo {
  readonly name: string
  readonly type: ElementType
  readonly dims: readonly (number | string)[]
}

/** A value ONNX Runtime can read and write. Whoever got it disposes it. */
export interface Tensor {
  readonly type: ElementType
  readonly dims: readonly number[]
  /** The memory itself, not a copy; valid until `dispose`. */
  readonly data: TensorData
  dispose(): void
}

export interface SessionOptions {
  /** Intra-op threads; 0 lets ONNX Runtime take one per physical core. */
  readonly threads: number
  /** False: worker threads sleep between operators instead of spinning. */
  readonly spinning: boolean
  /** The set of instructions of our own operators; the best that runs here unless told otherwise. */
  readonly isa?: Isa | undefined
  /** Where the operators are computed; the processor unless it is said. Only the C API knows another place. */
  readonly device?: DeviceUse | undefined
  /**
   * Where to write the graph as it was optimized; beside it, in a file of the same name and `.data`, its weights, those
   * that the kernels arrange anew also as they arranged them. Only the C API can.
   */
  readonly writeOptimizedTo?: string | undefined
}

/** A graphics card, and how it gets its work. */
export interface DeviceUse {
  readonly kind: 'gpu'
  /**
   * The commands of a step are recorded once and given to the card again for each further step. The whole graph must run on
   * the card, and a step must bind the same tensors as the one before.
   */
  readonly isRecorded: boolean
}

/** A graph in memory; its weights stay in files under `weightsFolder`, mapped by the runtime. */
export interface GraphSource {
  readonly bytes: Uint8Array
  readonly weightsFolder: string
  /** A file with the same bytes, if there is one. */
  readonly path?: string | undefined
  /** It was written as `writeOptimizedTo` says: nothing is left to optimize. */
  readonly isOptimized?: boolean | undefined
  /** What kernels of ours in the graph need. Only the C API can. */
  readonly own?: KernelParts | undefined
}

/** An input of the graph that a session laid out and holds: bytes. */
export interface PackedTensor {
  readonly name: string
  readonly dims: readonly number[]
  /** Valid until the session is disposed. */
  readonly data: Uint8Array
}

export interface Runtime {
  readonly name: 'c-api' | 'node'
  /** Why sessions can have no kernels of ours; `undefined` where they can. */
  readonly noOwnKernels: string | undefined
  /** Of ONNX Runtime. @throws when the library cannot be opened. */
  version(): Promise<string>
  createSession(graph: GraphSource, options: SessionOptions): Promise<Session>
}

/** One loaded graph with one set of bound tensors. Not for concurrent runs. */
export interface Session {
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /** Its tensors are on a graphics card; a long run costs there little more than a short one. */
  readonly isOnGpu: boolean
  /** True when an output tensor given to `bindOutput` is written in place, also when it is an input as well. */
  readonly writesInPlace: boolean
  /** What it holds for kernels of ours. These are no inputs any more. */
  readonly packedTensors: readonly PackedTensor[]
  /** Memory of the runtime, contents undefined. */
  allocate(type: ElementType, dims: readonly number[]): Tensor
  /** What a tensor of this session holds: the memory itself or, of one on a graphics card, a copy. */
  read(tensor: Tensor): TensorData
  /** Puts `data` into a tensor, all of it; what `read` gave of memory that is the tensor's own is there already. */
  write(tensor: Tensor, data: TensorData): void
  /** A tensor over memory of ours, which must stay referenced while the tensor is bound. */
  wrap(type: ElementType, dims: readonly number[], data: TensorData): Tensor
  bindInput(name: string, tensor: Tensor): void
  /**
   * Binds the first elements of `data`, as many as `dims` says, without making a tensor of it. Nothing but the
   * shape is copied; the session keeps `data` referenced until another binding replaces it.
   */
  bindData(name: string, type: ElementType, data: TensorData, dims: readonly number[]): void
  /** Binds bytes at an address, which must stay memory while they are bound. Only the C API can, on the processor. */
  bindBytes(name: string, address: bigint, dims: readonly number[]): void
  /** Without a tensor the runtime allocates the output at each run, for us to read; `takeOutput` fetches it. */
  bindOutput(name: string, tensor?: Tensor): void
  /** As `bindOutput` without a tensor, but the output stays where it is computed, for a run to come. */
  bindState(name: string): void
  /**
   * Runs on a thread of the pool. A step of one token, `isStep`, may be run in place while such steps are short; the
   * event loop gets its turn between them.
   * @throws the signal's reason when it is aborted, before or during the run; SpoutError `failed` otherwise.
   */
  run(signal?: AbortSignal, isStep?: boolean): Promise<void>
  /** The tensor that the last run made for an output bound without one. The caller owns it. */
  takeOutput(name: string): Tensor
  dispose(): Promise<void>
}
