/** Tries a model on the graphics card, when it is prepared, and keeps what came of it. */
import { loadSession } from '../backend/onnx/load-session.ts'
import { OnnxBackend } from '../backend/onnx/onnx-backend.ts'
import { SpoutError } from '../errors.ts'
import { chooseThreads } from '../system/choose-threads.ts'
import { type GraphicsDevice, vulkanDevices } from '../system/vulkan-devices.ts'
import { type DeviceTrial, fasterOf, measure, readTrial, writeTrial } from './device-trial.ts'
import type { Work } from './prepare-session.ts'

/** The card that would be used: what is made of software is slower than the processor it runs on. */
function cardToTry(): GraphicsDevice | undefined {
  const found = vulkanDevices()
  return 'why' in found ? undefined : found.devices.find(({ kind }) => kind !== 'software')
}

/** Measures the model on both and keeps the times; what was measured with the same card before stands, unless `again`. */
export async function tryDevice(work: Work, again = false): Promise<DeviceTrial | undefined> {
  const card = cardToTry()
  if (card === undefined) return undefined
  const { cacheFolder, key } = work
  const before = again ? undefined : readTrial(cacheFolder, key)
  if (before?.device === card.name && before.driver === card.driver) return before
  const trial = await compare(work, card)
  writeTrial(cacheFolder, key, trial)
  return trial
}

async function compare(work: Work, card: GraphicsDevice): Promise<DeviceTrial> {
  const { name: device, driver } = card
  const cpu = await measure(() => open(work, false))
  try {
    const gpu = await measure(() => open(work, true))
    return { device, driver, faster: fasterOf(cpu, gpu), cpu, gpu }
  } catch (error) {
    if (!(error instanceof SpoutError)) throw error
    return { device, driver, faster: 'cpu', cpu, why: error.message }
  }
}

async function open({ runtime, model, config, tokenizer, cacheFolder, key, options }: Work, onGpu: boolean) {
  const loaded = await loadSession(runtime, model.onnxPath, config, {
    threads: chooseThreads(options),
    spinning: true,
    cacheFolder,
    usePrepared: true,
    precise: key.precise,
    onGpu,
  })
  return new OnnxBackend(loaded, tokenizer, config)
}
