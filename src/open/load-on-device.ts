/** Loads a model where it was asked for, or where it was measured to run sooner. */
import {
  expectRuns,
  type LoadedSession,
  type LoadOptions,
  loadSession,
} from '../backend/onnx/load-session.ts'
import type { Runs } from '../backend/runs.ts'
import { SpoutError } from '../errors.ts'
import type { ModelConfig } from '../model/resolved-model.ts'
import type { Runtime } from '../onnx-runtime/runtime.ts'
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
  if (!(await prefersGpu(load))) return onCpu()
  if (device === 'gpu') return onGpu()
  try {
    return await onGpu()
  } catch (error) {
    if (!(error instanceof SpoutError)) throw error
    note?.(`${error.message}; running on the processor`, 'warning')
    return onCpu()
  }
}

/** What would run, told without a session. @throws SpoutError as `expectRuns`; `usage` as `loadOnDevice`. */
export async function expectOnDevice(load: ToLoad): Promise<Runs> {
  const { runtime, onnxPath, config, options } = load
  return expectRuns(runtime, onnxPath, config, { ...options, onGpu: await prefersGpu(load) })
}

async function prefersGpu(load: ToLoad): Promise<boolean> {
  const { device, runtime } = load
  if (device !== 'gpu') return device === 'auto' && (await isFasterOnGpu(load))
  if (runtime.name === 'c-api') return true
  throw new SpoutError('usage', `--device gpu: not with --runtime ${runtime.name}`, {
    hint: '--runtime c-api',
  })
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
