/** Makes a session of the library: its options, our own operators, and the weights that are laid out meanwhile. */
import { basename } from 'node:path'
import { configureGlibcMalloc } from '../system/glibc-malloc.ts'
import { stableMemory } from '../system/stable-memory.ts'
import { cString, type OrtLibrary } from './c-api.ts'
import { addDevice } from './device-provider.ts'
import type { OwnKernels } from './own-kernels.ts'
import type { PackedWeights } from './packed-weights.ts'
import type { GraphSource, SessionOptions } from './runtime.ts'

export interface NativeSession {
  readonly handle: bigint
  /** What kernels of ours read; to be disposed after the session. */
  readonly weights: PackedWeights | undefined
}

/** @throws SpoutError as the library does; then nothing stays. */
export async function createNativeSession(
  ort: OrtLibrary,
  graph: GraphSource,
  options: SessionOptions,
  kernels: OwnKernels,
): Promise<NativeSession> {
  const sessionOptions = ort.make('CreateSessionOptions')
  // The native side reads and writes these while it works: they must not be collected before.
  const memory = { graph, handle: new BigUint64Array(stableMemory(8)) }
  loading.add(memory)
  const malloc = configureGlibcMalloc()
  if (graph.isOptimized) malloc.keepFreed()
  let weights: PackedWeights | undefined
  try {
    if (graph.own !== undefined && graph.own.weights.length > 0)
      weights = kernels.loadWeights(graph.own.weights)
    configure(ort, sessionOptions, graph, options)
    if (graph.own !== undefined) {
      kernels.addOperators(ort, sessionOptions, { operators: graph.own.operators, isa: options.isa })
    }
    await create(ort, graph, { sessionOptions, handle: memory.handle })
    await weights?.ready
    return { handle: memory.handle[0]!, weights }
  } catch (error) {
    if (memory.handle[0] !== 0n) ort.fn('ReleaseSession')(memory.handle[0])
    await weights?.dispose()
    throw error
  } finally {
    malloc.giveBack()
    loading.delete(memory)
    ort.fn('ReleaseSessionOptions')(sessionOptions)
  }
}

export async function releaseNativeSession(
  ort: OrtLibrary,
  { handle, weights }: NativeSession,
): Promise<void> {
  ort.fn('ReleaseSession')(handle)
  await weights?.dispose()
}

const loading = new Set<object>()

interface Creation {
  readonly sessionOptions: bigint
  /** Where the handle goes. */
  readonly handle: BigUint64Array
}

function create(
  ort: OrtLibrary,
  { path, bytes }: GraphSource,
  { sessionOptions, handle }: Creation,
): Promise<void> {
  if (path !== undefined) {
    return ort.callAsync('CreateSession', ort.env, pathString(path), sessionOptions, handle)
  }
  const length = bytes.byteLength
  return ort.callAsync('CreateSessionFromArray', ort.env, bytes, length, sessionOptions, handle)
}

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
  if (options.device !== undefined) addDevice(ort, handle, options.device)
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
