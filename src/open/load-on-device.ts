/** Loads a model where it was asked for, or where it was measured to run sooner. */
import { type LoadedSession, type LoadOptions, loadSession } from '../backend/onnx/load-session.ts'
import type { Runtime } from '../backend/onnx/runtime/runtime.ts'
import { SpoutError } from '../errors.ts'
import type { ModelConfig } from '../model/resolved-model.ts'
import type { DeviceChoice } from './device-choice.ts'
import { hasTrials, readTrial } from './device-trial.ts'

interface ToLoad {
  readonly runtime: Runtime
  readonly onnxPath: string
  readonly config: ModelConfig
  readonly device: DeviceChoice
  readonly options: LoadOptions
  readonly note?: ((text: string, level: 'info' | 'warning') => void) | undefined
}

/** @throws SpoutError as `loadSession` does; `usage` for a card that the chosen runtime cannot use. */
export async function loadOnDevice(load: ToLoad): Promise<LoadedSession> {
  const { runtime, onnxPath, config, device, options, note } = load
  const onCpu = (): Promise<LoadedSession> => loadSession(runtime, onnxPath, config, options)
  const onGpu = (): Promise<LoadedSession> =>
    loadSession(runtime, onnxPath, config, { ...options, onGpu: true })
  if (device === 'gpu') {
    if (runtime.name !== 'c-api') {
      throw new SpoutError('usage', `--device gpu: not with --runtime ${runtime.name}`, {
        hint: '--runtime c-api',
      })
    }
    return onGpu()
  }
  if (device === 'cpu' || !(await isFasterOnGpu(load))) return onCpu()
  try {
    return await onGpu()
  } catch (error) {
    if (!(error instanceof SpoutError)) throw error
    note?.(`${error.message}; running on the processor`, 'warning')
    return onCpu()
  }
}

async function isFasterOnGpu({ runtime, onnxPath, options, note }: ToLoad): Promise<boolean> {
  const { cacheFolder, usePrepared, precise = false } = options
  if (!usePrepared || cacheFolder === undefined || runtime.name !== 'c-api' || !hasTrials(cacheFolder))
    return false
  const trial = readTrial(cacheFolder, { onnxPath, precise, runtimeVersion: await runtime.version() })
  if (trial === undefined) return false
  note?.(`device: the answer comes sooner from the ${trial.faster} (${trial.device})`, 'info')
  return trial.faster === 'gpu'
}
