/**
 * ONNX Runtime's C API, called through koffi: the library that the onnxruntime-node package ships, its table of
 * functions (`struct OrtApi` in onnxruntime_c_api.h, append-only, so an index means the same function in every
 * version), and every `OrtStatus` turned into an error.
 *
 * Handles are bigint addresses. Memory given to ONNX Runtime must be off the JavaScript heap (see `stableMemory`).
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import koffi, { type LibraryHandle } from 'koffi'
import '../system/native-stack.ts'
import { stableMemory } from '../system/stable-memory.ts'
import { ortError } from './ort-error.ts'

/** The version of the API table asked for: the oldest that has every function below. */
const API_VERSION = 24

type Pointer = bigint

// biome-ignore lint/suspicious/noExplicitAny: the signatures live in the table, as text
export type NativeFunction = ((...args: any[]) => any) & { async: (...args: any[]) => void }

/** Name: [index in struct OrtApi, signature]. `S` stands for `OrtStatus*`: null when all is well. */
const TABLE = {
  CreateStatus: [0, 'S (int, void*)'],
  GetErrorCode: [1, 'int (void*)'],
  GetErrorMessage: [2, 'const char* (void*)'],
  CreateEnv: [3, 'S (int, void*, void*)'],
  DisableTelemetryEvents: [6, 'S (void*)'],
  CreateSession: [7, 'S (void*, void*, void*, void*)'],
  CreateSessionFromArray: [8, 'S (void*, void*, size_t, void*, void*)'],
  CreateSessionOptions: [10, 'S (void*)'],
  SetOptimizedModelFilePath: [11, 'S (void*, void*)'],
  DisableMemPattern: [17, 'S (void*)'],
  SetSessionGraphOptimizationLevel: [23, 'S (void*, int)'],
  SetIntraOpNumThreads: [24, 'S (void*, int)'],
  SetInterOpNumThreads: [25, 'S (void*, int)'],
  CreateCustomOpDomain: [26, 'S (void*, void*)'],
  CustomOpDomain_Add: [27, 'S (void*, void*)'],
  AddCustomOpDomain: [28, 'S (void*, void*)'],
  SessionGetInputCount: [30, 'S (void*, void*)'],
  SessionGetOutputCount: [31, 'S (void*, void*)'],
  SessionGetInputTypeInfo: [33, 'S (void*, size_t, void*)'],
  SessionGetOutputTypeInfo: [34, 'S (void*, size_t, void*)'],
  SessionGetInputName: [36, 'S (void*, size_t, void*, void*)'],
  SessionGetOutputName: [37, 'S (void*, size_t, void*, void*)'],
  CreateRunOptions: [39, 'S (void*)'],
  RunOptionsSetTerminate: [46, 'S (void*)'],
  RunOptionsUnsetTerminate: [47, 'S (void*)'],
  CreateTensorAsOrtValue: [48, 'S (void*, void*, size_t, int, void*)'],
  CreateTensorWithDataAsOrtValue: [49, 'S (void*, void*, size_t, void*, size_t, int, void*)'],
  GetTensorMutableData: [51, 'S (void*, void*)'],
  CastTypeInfoToTensorInfo: [55, 'S (void*, void*)'],
  GetTensorElementType: [60, 'S (void*, void*)'],
  GetDimensionsCount: [61, 'S (void*, void*)'],
  GetDimensions: [62, 'S (void*, void*, size_t)'],
  GetSymbolicDimensions: [63, 'S (void*, void*, size_t)'],
  GetTensorTypeAndShape: [65, 'S (void*, void*)'],
  CreateMemoryInfo: [68, 'S (const char*, int, int, int, void*)'],
  CreateCpuMemoryInfo: [69, 'S (int, int, void*)'],
  AllocatorFree: [76, 'S (void*, void*)'],
  GetAllocatorWithDefaultOptions: [78, 'S (void*)'],
  KernelContext_GetInput: [90, 'S (void*, size_t, void*)'],
  KernelContext_GetOutput: [91, 'S (void*, size_t, void*, size_t, void*)'],
  ReleaseEnv: [92, 'void (void*)'],
  ReleaseStatus: [93, 'void (void*)'],
  ReleaseMemoryInfo: [94, 'void (void*)'],
  ReleaseSession: [95, 'void (void*)'],
  ReleaseValue: [96, 'void (void*)'],
  ReleaseRunOptions: [97, 'void (void*)'],
  ReleaseTypeInfo: [98, 'void (void*)'],
  ReleaseTensorTypeAndShapeInfo: [99, 'void (void*)'],
  ReleaseSessionOptions: [100, 'void (void*)'],
  AddSessionConfigEntry: [130, 'S (void*, const char*, const char*)'],
  CreateAllocator: [131, 'S (void*, void*, void*)'],
  ReleaseAllocator: [132, 'void (void*)'],
  RunWithBinding: [133, 'S (void*, void*, void*)'],
  CreateIoBinding: [134, 'S (void*, void*)'],
  ReleaseIoBinding: [135, 'void (void*)'],
  BindInput: [136, 'S (void*, void*, void*)'],
  BindOutput: [137, 'S (void*, void*, void*)'],
  BindOutputToDevice: [138, 'S (void*, void*, void*)'],
  GetBoundOutputValues: [140, 'S (void*, void*, void*, void*)'],
  AddRunConfigEntry: [165, 'S (void*, const char*, const char*)'],
  SessionOptionsAppendExecutionProvider: [216, 'S (void*, const char*, const char**, const char**, size_t)'],
  KernelContext_ParallelFor: [274, 'S (void*, void*, size_t, size_t, void*)'],
  CopyTensors: [386, 'S (void*, void*, void*, void*, size_t)'],
  GetTensorElementTypeAndShapeDataReference: [414, 'S (void*, void*, void*, void*)'],
} as const satisfies Record<string, readonly [number, string]>

type FunctionName = keyof typeof TABLE

/** The opened library: its functions, and the process-wide handles every session needs. */
export interface OrtLibrary extends OrtCalls {
  readonly version: string
  readonly env: Pointer
  readonly allocator: Pointer
  readonly cpuMemory: Pointer
}

interface OrtCalls {
  /** Calls a function; a status that is not null becomes a SpoutError. */
  call(name: FunctionName, ...args: unknown[]): void
  /** Calls a function whose last argument receives a handle, and returns the handle. */
  make(name: FunctionName, ...args: unknown[]): Pointer
  /**
   * As `call`, on a thread of the pool. koffi keeps none of the arguments alive meanwhile: memory of ours among them must be
   * referenced by who calls until the promise is settled. The closure in `callOnPool` holds `args`, which is what saves those
   * that nobody else holds; taken apart from it, the collector would free them under the library.
   */
  callAsync(name: FunctionName, ...args: unknown[]): Promise<void>
  /** Where a function lies, for native code that calls it. */
  address(name: FunctionName): Pointer
  /** The bare function, for the token loop: returns the status for `check`. */
  fn(name: FunctionName): NativeFunction
  /** @throws SpoutError with the library's message: `os` for memory, else `failed`; releases the status. */
  check(status: Pointer | null): void
}

let opened: Promise<OrtLibrary> | undefined
/** Held for ever: when the handle is collected koffi unloads the library, and every function address is void. */
let library: LibraryHandle | undefined

/**
 * Opens the library once per process; later calls return the same. Its environment, which knows every operator and takes
 * some 40 ms, is made on a thread of the pool.
 * @throws Error at once when the library or koffi's own binary cannot be loaded on this platform.
 */
export function openOrt(libraryPath: string = findLibrary()): Promise<OrtLibrary> {
  opened ??= open(libraryPath)
  return opened
}

/** The libonnxruntime inside the onnxruntime-node package, by platform. */
function findLibrary(): string {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
  const folder = join(root, 'bin', 'napi-v6', process.platform, process.arch)
  const names: Record<string, string> = { win32: 'onnxruntime.dll', darwin: 'libonnxruntime.1.dylib' }
  const path = join(folder, names[process.platform] ?? 'libonnxruntime.so.1')
  if (!existsSync(path))
    throw new Error(`onnxruntime-node has no library for ${process.platform}/${process.arch}`)
  return path
}

/** A NUL-terminated name that a native call reads in place. */
export function cString(text: string): Uint8Array {
  const bytes = Buffer.from(`${text}\0`)
  const memory = new Uint8Array(stableMemory(bytes.length))
  memory.set(bytes)
  return memory
}

function open(path: string): Promise<OrtLibrary> {
  // Read by the library when it is loaded: no telemetry thread, no log file in the temporary folder.
  process.env.ORT_DISABLE_TELEMETRY = '1'
  library = koffi.load(path)
  const base = library.func('void* OrtGetApiBase()')()
  const getApi = koffi.decode(koffi.decode(base, 0, 'void*'), koffi.proto('void* (uint32_t)'))
  const getVersion = koffi.decode(koffi.decode(base, pointerSize, 'void*'), koffi.proto('const char* ()'))
  const table = getApi(API_VERSION)
  if (table === null) throw new Error(`ONNX Runtime ${getVersion()} has no C API of version ${API_VERSION}`)
  return withEnvironment(callsOf(table), getVersion())
}

async function withEnvironment(calls: OrtCalls, version: string): Promise<OrtLibrary> {
  const handle = new BigUint64Array(stableMemory(8))
  // Severity 4: fatal only. An error comes back as a status; a log line beside it would land on stderr.
  await calls.callAsync('CreateEnv', 4, ENVIRONMENT_NAME, handle)
  const env = handle[0]!
  calls.call('DisableTelemetryEvents', env)
  const allocator = calls.make('GetAllocatorWithDefaultOptions')
  const cpuMemory = calls.make('CreateCpuMemoryInfo', 0, 0)
  return { version, env, allocator, cpuMemory, ...calls }
}

/** The functions of the API by name. @param table `struct OrtApi` */
function callsOf(table: unknown): OrtCalls {
  const functions = new Map<FunctionName, NativeFunction>()
  const placeOf = (name: FunctionName) => koffi.decode(table, TABLE[name][0] * pointerSize, 'void*')
  const fn = (name: FunctionName): NativeFunction => {
    let found = functions.get(name)
    if (found === undefined) {
      const prototype = koffi.proto(TABLE[name][1].replace(/^S/, 'void*'))
      found = koffi.decode(placeOf(name), prototype) as NativeFunction
      functions.set(name, found)
    }
    return found
  }
  const check = (status: Pointer | null): void => {
    if (status === null || status === 0n) return
    const message = String(fn('GetErrorMessage')(status))
    fn('ReleaseStatus')(status)
    throw ortError(message)
  }
  const call = (name: FunctionName, ...args: unknown[]): void => check(fn(name)(...args))
  return {
    ...{ fn, check, call },
    address: (name) => koffi.address(placeOf(name)),
    make(name, ...args) {
      const out = new BigUint64Array(stableMemory(8))
      call(name, ...args, out)
      return out[0]!
    },
    callAsync: (name, ...args) => callOnPool(fn(name), args, check),
  }
}

/** Calls a function on a thread of the pool. */
function callOnPool(
  fn: NativeFunction,
  args: unknown[],
  check: (status: Pointer | null) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    fn.async(...args, (error: Error | null, status: Pointer | null) => {
      args.length = 0 // Named here, they live until now.
      try {
        if (error !== null) throw error
        check(status)
        resolve()
      } catch (cause) {
        reject(cause)
      }
    })
  })
}

/** Read on another thread: held, so that it is not collected meanwhile. */
const ENVIRONMENT_NAME = cString('spout')

const pointerSize = koffi.sizeof('void*')
