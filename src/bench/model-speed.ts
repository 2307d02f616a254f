/** How fast a model is here: what a prompt and an answer cost, and what a run costs that starts anew. */

import { makeRequest } from '../engine/request.ts'
import { generate } from '../generation/generate.ts'
import { EMBEDDED_MODEL } from '../open/embedded-model.ts'
import { type OpenedBackend, openBackend } from '../open/open-engine.ts'
import { createSampler } from '../sampling/sampler.ts'
import type { EngineHooks, EngineSettings } from './arm.ts'
import { productArm } from './built-in-arms.ts'
import { sampleFresh } from './fresh-process.ts'
import { median } from './statistics/summary.ts'

export interface ModelSpeed {
  readonly model: OpenedBackend['model']
  /** Tokens per second after prompts of so many tokens; those that do not fit the context are left out. */
  readonly lengths: readonly LengthSpeed[]
  /** Of a fresh process with a short prompt. */
  readonly firstByteMs: number | undefined
  readonly peakRssBytes: number | undefined
}

interface LengthSpeed {
  readonly promptTokens: number
  readonly prefillTps: number
  readonly decodeTps: number
}

interface SpeedWork {
  readonly settings: EngineSettings
  readonly hooks: EngineHooks
  /** Repeated until it is long enough. */
  readonly text: string
  readonly signal: AbortSignal
  readonly onProgress: (text: string) => void
}

const LENGTHS = [128, 1024]
const ROUNDS = 3
/** Tokens of an answer: the first comes with the prompt. */
const TOKENS = 33

/** @throws SpoutError as `openBackend` does; the signal's reason when it is aborted. */
export async function measureSpeed(work: SpeedWork): Promise<ModelSpeed> {
  const { settings, hooks, onProgress } = work
  const [firstByteMs, peakRssBytes] = await measureStart(work)
  const opened = await openBackend({ ...settings, ...hooks })
  try {
    const lengths: LengthSpeed[] = []
    for (const length of LENGTHS) {
      if (length + TOKENS > opened.backend.contextLength) continue
      onProgress(`a prompt of ${length} tokens`)
      lengths.push(await measureLength(opened, length, work))
    }
    return { model: opened.model, lengths, firstByteMs, peakRssBytes }
  } finally {
    await opened.backend.dispose()
  }
}

/** Once to bring the files into the system's cache, and then for the figures. */
async function measureStart({ settings, text, signal, onProgress }: SpeedWork) {
  onProgress('a fresh process')
  const request = makeRequest({ prompt: text.slice(0, 120), raw: true, maxTokens: 2 })
  const model = settings.model ?? EMBEDDED_MODEL.folder
  const spec = productArm({ ...settings, model })
  const sampler = sampleFresh({ spec, task: { request, tokens: 2 } })
  await sampler.warmUp(signal)
  const rounds = []
  for (let i = 0; i < ROUNDS; i++) rounds.push((await sampler.measure(signal)).figures)
  return [
    median(rounds.flatMap(({ ttftMs }) => ttftMs ?? [])),
    median(rounds.flatMap(({ peakRssBytes }) => peakRssBytes ?? [])),
  ] as const
}

async function measureLength(
  { backend }: OpenedBackend,
  length: number,
  { text, signal }: SpeedWork,
): Promise<LengthSpeed> {
  const promptIds = idsOf(backend.tokenizer.encode(text), length)
  const rounds: LengthSpeed[] = []
  for (let i = 0; i <= ROUNDS; i++) {
    const cache = backend.createCache(length + TOKENS)
    try {
      const sampler = createSampler({ temperature: 0 }, backend)
      const limits = { maxTokens: TOKENS, stopStrings: [], ignoreEos: true, continuation: true }
      const { timings } = await generate({
        backend,
        cache,
        promptIds,
        sampler,
        sink: NOWHERE,
        signal,
        ...limits,
      })
      signal.throwIfAborted()
      const { startedAt, prefilledAt, endedAt } = timings
      rounds.push({
        promptTokens: length,
        prefillTps: (1000 * length) / (prefilledAt - startedAt),
        decodeTps: (1000 * (TOKENS - 1)) / (endedAt - prefilledAt),
      })
    } finally {
      cache.dispose()
    }
  }
  // The first warms up.
  const counted = rounds.slice(1)
  return {
    promptTokens: length,
    prefillTps: median(counted.map(({ prefillTps }) => prefillTps))!,
    decodeTps: median(counted.map(({ decodeTps }) => decodeTps))!,
  }
}

const NOWHERE = { token: () => undefined, lastPiece: () => undefined }

/** The ids of a text, over and over, until there are enough. */
function idsOf(text: Int32Array, length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => text[i % text.length]!)
}
