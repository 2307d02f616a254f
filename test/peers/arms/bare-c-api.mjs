/**
 * The floor: ONNX Runtime's C API called through koffi with nothing around it. One KV buffer per tensor is bound both as past
 * and as present, so GroupQueryAttention appends in place; a step is one RunWithBinding and an argmax. No text, no sampling.
 *
 * Prefill runs in chunks and computes the logits of every position, as the graph does: it is not a floor for prefill.
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import koffi from 'koffi'
import { argmax, readConfig } from './model-files.mjs'

const FLOAT = 1
const INT64 = 7
const CHUNK = 128
const API_VERSION = 22

/** Position in `struct OrtApi` (append-only since version 1) and C signature of what is used. */
const FUNCTIONS = {
  GetErrorMessage: [2, 'const char *', ['void *']],
  CreateEnv: [3, 'void *', ['int', 'const char *', '_Out_ void **']],
  CreateSession: [7, 'void *', ['void *', 'const char *', 'void *', '_Out_ void **']],
  CreateSessionOptions: [10, 'void *', ['_Out_ void **']],
  DisableMemPattern: [17, 'void *', ['void *']],
  SetIntraOpNumThreads: [24, 'void *', ['void *', 'int']],
  CreateTensorWithDataAsOrtValue: [
    49,
    'void *',
    ['void *', 'void *', 'size_t', 'int64_t *', 'size_t', 'int', '_Out_ void **'],
  ],
  CreateCpuMemoryInfo: [69, 'void *', ['int', 'int', '_Out_ void **']],
  ReleaseEnv: [92, 'void', ['void *']],
  ReleaseStatus: [93, 'void', ['void *']],
  ReleaseMemoryInfo: [94, 'void', ['void *']],
  ReleaseSession: [95, 'void', ['void *']],
  ReleaseValue: [96, 'void', ['void *']],
  ReleaseSessionOptions: [100, 'void', ['void *']],
  RunWithBinding: [133, 'void *', ['void *', 'void *', 'void *']],
  CreateIoBinding: [134, 'void *', ['void *', '_Out_ void **']],
  ReleaseIoBinding: [135, 'void', ['void *']],
  BindInput: [136, 'void *', ['void *', 'const char *', 'void *']],
  BindOutput: [137, 'void *', ['void *', 'const char *', 'void *']],
}

/** Held for ever: koffi unloads the library when its handle is collected. */
let library

function openApi() {
  const folder = join(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')), '../bin/napi-v6')
  const file = { linux: 'libonnxruntime.so.1', darwin: 'libonnxruntime.1.dylib', win32: 'onnxruntime.dll' }[
    process.platform
  ]
  library = koffi.load(join(folder, process.platform, process.arch, file))
  const base = library.func('void *OrtGetApiBase()')()
  const getApi = koffi.decode(koffi.decode(base, 'void *'), koffi.proto('void *', ['uint32_t']))
  const version = koffi.decode(koffi.decode(base, 8, 'void *'), koffi.proto('const char *', []))()
  const table = getApi(API_VERSION)
  if (!table) throw new Error(`the library has no C API of version ${API_VERSION}`)
  const raw = {}
  for (const [name, [index, result, parameters]] of Object.entries(FUNCTIONS)) {
    raw[name] = koffi.decode(koffi.decode(table, index * 8, 'void *'), koffi.proto(result, parameters))
  }
  return { api: raw, version }
}

/** Over a buffer: V8 moves small typed arrays that are not. */
function int64(values) {
  const array = new BigInt64Array(new ArrayBuffer(8 * values.length))
  for (let i = 0; i < values.length; i++) array[i] = BigInt(values[i])
  return array
}

export async function load({ model, threads, capacity }) {
  const { api, version } = openApi()
  const config = readConfig(model)
  const check = (status) => {
    if (!status) return
    const message = api.GetErrorMessage(status)
    api.ReleaseStatus(status)
    throw new Error(`onnxruntime: ${message}`)
  }
  const create = (name, ...args) => {
    const out = [null]
    check(api[name](...args, out))
    return out[0]
  }
  const env = create('CreateEnv', 3, 'bare')
  const options = create('CreateSessionOptions')
  check(api.SetIntraOpNumThreads(options, threads))
  check(api.DisableMemPattern(options)) // the mask grows: a pattern per length would never be used again
  const session = create('CreateSession', env, model.onnx, options)
  const memory = create('CreateCpuMemoryInfo', 1, 0)
  const binding = create('CreateIoBinding', session)
  const tensor = (array, dims) =>
    create(
      'CreateTensorWithDataAsOrtValue',
      memory,
      array,
      array.byteLength,
      BigInt64Array.from(dims, BigInt),
      dims.length,
      array instanceof BigInt64Array ? INT64 : FLOAT,
    )

  const owned = []
  const kept = (array, dims) => {
    const value = tensor(array, dims)
    owned.push({ array, value })
    return value
  }
  const { heads, headDim, layers, vocab } = config
  for (let layer = 0; layer < layers; layer++) {
    for (const part of ['key', 'value']) {
      const value = kept(new Float32Array(heads * capacity * headDim), [1, heads, capacity, headDim])
      check(api.BindInput(binding, `past_key_values.${layer}.${part}`, value))
      check(api.BindOutput(binding, `present.${layer}.${part}`, value))
    }
  }
  const mask = int64(new Array(capacity).fill(1))
  const one = int64([0])
  const row = new Float32Array(vocab)
  const oneId = kept(one, [1, 1])
  const oneRow = kept(row, [1, 1, vocab])
  let promptLength = 0
  let firstId = 0
  let chunkIds // bound memory must stay referenced until the run is over

  /** Runs what is bound, with the mask over `total` tokens. */
  function run(total) {
    const value = tensor(mask, [1, total])
    check(api.BindInput(binding, 'attention_mask', value))
    check(api.RunWithBinding(session, null, binding))
    api.ReleaseValue(value)
  }

  /** Logits of the last id of a chunk. */
  function runChunk(ids, total) {
    chunkIds = int64(ids)
    const logits = new Float32Array(ids.length * vocab)
    const values = [tensor(chunkIds, [1, ids.length]), tensor(logits, [1, ids.length, vocab])]
    check(api.BindInput(binding, 'input_ids', values[0]))
    check(api.BindOutput(binding, 'logits', values[1]))
    run(total)
    for (const value of values) api.ReleaseValue(value)
    return logits.subarray((ids.length - 1) * vocab)
  }

  return {
    versions: { 'onnxruntime (C API)': version, koffi: koffi.version },
    async prefill(ids) {
      for (let start = 0; start < ids.length; start += CHUNK) {
        const chunk = ids.slice(start, start + CHUNK)
        const logits = runChunk(chunk, start + chunk.length)
        firstId = argmax(logits)
      }
      promptLength = ids.length
    },
    async decode(count) {
      const ids = [firstId]
      check(api.BindInput(binding, 'input_ids', oneId))
      check(api.BindOutput(binding, 'logits', oneRow))
      for (let step = 0; step < count; step++) {
        one[0] = BigInt(ids[step])
        run(promptLength + step + 1)
        ids.push(argmax(row))
      }
      return ids
    },
    async dispose() {
      api.ReleaseIoBinding(binding)
      for (const { value } of owned) api.ReleaseValue(value)
      api.ReleaseMemoryInfo(memory)
      api.ReleaseSession(session)
      api.ReleaseSessionOptions(options)
      api.ReleaseEnv(env)
    },
  }
}
