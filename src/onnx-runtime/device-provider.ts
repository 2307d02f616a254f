/** The graphics card as ONNX Runtime's WebGPU provider sees it: Vulkan on Linux, Metal on macOS, Direct3D 12 on Windows. */
import { SpoutError } from '../errors.ts'
import { withoutNativeStderr } from '../system/native-stderr.ts'
import type { OrtLibrary } from './c-api.ts'
import type { DeviceUse } from './runtime.ts'

/** Of a recorded run, which graph it is; -1 for a run that is neither recorded nor given again. */
export const RECORDING = 'gpu_graph_id'
export const NOT_RECORDED = '-1'

/**
 * Lets a session compute on the graphics card what the provider can; the rest stays on the processor.
 * @throws SpoutError `os` where there is no card that the provider takes.
 */
export function addDevice(ort: OrtLibrary, options: bigint, { isRecorded }: DeviceUse): void {
  // What is recorded must be on the card as a whole, and ids and lengths are integers of 64 bits.
  const entries = isRecorded ? { enableInt64: '1', enableGraphCapture: '1' } : {}
  const [keys, values] = [Object.keys(entries), Object.values(entries)]
  try {
    // The first time, this looks for a card; what the provider's own library thinks of drivers would land on stderr.
    withoutNativeStderr(() =>
      ort.call('SessionOptionsAppendExecutionProvider', options, 'WebGPU', keys, values, keys.length),
    )
  } catch (cause) {
    throw new SpoutError('os', `gpu: ${whyNot(cause)}`, {
      hint: 'spout devices says more; --device cpu',
      cause,
    })
  }
}

function whyNot(cause: unknown): string {
  const told = cause instanceof Error ? cause.message : String(cause)
  if (/WebGPU adapter|supported adapters/i.test(told)) return 'no graphics card here can be used'
  return told.replace(/^onnxruntime: /, '').slice(0, 300)
}
