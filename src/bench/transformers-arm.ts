/**
 * transformers.js on the same files: `generate()`, greedy, its tokens counted by a streamer that makes no text of them. The
 * only file that imports @huggingface/transformers: nothing but measuring needs it.
 */
import { basename, dirname } from 'node:path'
import { loadChatTemplate } from '../chat-template/chat-template.ts'
import { encodePrompt } from '../engine/encode-prompt.ts'
import { SpoutError } from '../errors.ts'
import { loadModelConfig } from '../model/model-config.ts'
import { resolveFor } from '../open/open-engine.ts'
import { defaultThreads } from '../system/threads.ts'
import { loadTokenizer } from '../tokenizer/load-tokenizer.ts'
import type { ArmSpec, BenchTask, EngineHooks, LoadedArm, RequestRecord, RunOptions } from './arm.ts'

type Library = typeof import('@huggingface/transformers')
type Network = Awaited<ReturnType<Library['AutoModelForCausalLM']['from_pretrained']>>

/** Whether this arm can run here. */
export async function hasTransformers(): Promise<boolean> {
  return (await importLibrary().catch(() => undefined)) !== undefined
}

/** @throws SpoutError `not-found` where the package is not installed. */
export async function openTransformersArm(
  { settings }: ArmSpec,
  { request }: BenchTask,
  hooks: EngineHooks,
): Promise<LoadedArm> {
  const files = await resolveFor(settings, hooks)
  const tokenizer = await loadTokenizer(files.folder)
  const template = await loadChatTemplate(files.folder, { file: settings.chatTemplateFile })
  const { ids } = encodePrompt(request, tokenizer, template)
  const from = performance.now()
  const library = await importLibrary()
  const network = await loadNetwork(library, { ...files, threads: settings.threads ?? defaultThreads() })
  const { headDim } = loadModelConfig(files.folder)
  const work = { library, network, headDim, ids: BigInt64Array.from(ids, BigInt) }
  return {
    loadMs: performance.now() - from,
    run: (options) => runRequest(work, options),
    dispose: async () => void (await network.dispose()),
  }
}

async function importLibrary(): Promise<Library> {
  process.env.ORT_DISABLE_TELEMETRY = '1'
  try {
    return await import('@huggingface/transformers')
  } catch (cause) {
    throw new SpoutError('not-found', 'transformers.js is not installed', {
      hint: 'npm install --no-save --ignore-scripts @huggingface/transformers@4.3.1',
      cause,
    })
  }
}

interface NetworkFiles {
  readonly folder: string
  readonly dtype: string
  readonly threads: number
}

function loadNetwork(library: Library, { folder, dtype, threads }: NetworkFiles): Promise<Network> {
  const { AutoModelForCausalLM, env, LogLevel } = library
  // What goes wrong is thrown; what it would say besides goes to stdout in part.
  env.logLevel = LogLevel.NONE
  env.allowRemoteModels = false
  env.localModelPath = dirname(folder)
  return AutoModelForCausalLM.from_pretrained(basename(folder), {
    dtype: dtype as 'q4',
    device: 'cpu',
    local_files_only: true,
    session_options: { intraOpNumThreads: threads },
  })
}

interface Work {
  readonly library: Library
  readonly network: Network
  readonly headDim: number | undefined
  readonly ids: BigInt64Array
}

async function runRequest(work: Work, options: RunOptions): Promise<RequestRecord> {
  const { library, network, ids } = work
  const { Tensor } = library
  const times = new TokenTimes(options)
  const startedAt = performance.now()
  const dims = [1, ids.length]
  const output = (await network.generate({
    inputs: new Tensor('int64', ids, dims),
    attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), dims),
    max_new_tokens: options.tokens,
    do_sample: false,
    eos_token_id: null,
    streamer: times,
    ...emptyCache(work),
  } as never)) as InstanceType<Library['Tensor']>
  const ms = performance.now() - startedAt
  return {
    ids: Array.from(output.data.slice(ids.length) as BigInt64Array, Number),
    promptTokens: ids.length,
    ms,
    prefillMs: times.at[0]! - startedAt,
    firstTextMs: times.at[0]! - startedAt,
    steps: times.at.slice(1).map((time, i) => time - times.at[i]!),
    samplingMs: undefined,
    textMs: undefined,
  }
}

interface InputFacts {
  readonly name: string
  readonly type: 'float32'
  readonly shape: readonly (number | string)[]
}

/**
 * Graphs of today's builder leave the head size of the cache open. Version 4.3.1 then takes 0 for it and fails; a cache of the
 * right size, as empty as its own, is what it goes on with.
 */
function emptyCache({ library, network, headDim }: Work): object {
  const sessions = network.sessions as unknown as { model: { inputMetadata: readonly InputFacts[] } }
  const states = sessions.model.inputMetadata.filter(({ name }) => name.startsWith('past_key_values.'))
  if (headDim === undefined || states.every(({ shape }) => typeof shape.at(-1) === 'number')) return {}
  const tensors = states.map(({ name, type, shape }) => {
    const dims = [1, Number(shape[1]), 0, headDim]
    return [name, new library.Tensor(type, new Float32Array(0), dims)]
  })
  return { past_key_values: new library.DynamicCache(Object.fromEntries(tensors)) }
}

/** A streamer as `generate()` wants one: told of the prompt, then of each token. */
class TokenTimes {
  readonly at: number[] = []
  readonly #signal: AbortSignal | undefined
  #sawPrompt = false

  constructor({ signal }: RunOptions) {
    this.#signal = signal
  }

  put(): void {
    this.#signal?.throwIfAborted()
    if (this.#sawPrompt) this.at.push(performance.now())
    this.#sawPrompt = true
  }

  end(): void {}
}
