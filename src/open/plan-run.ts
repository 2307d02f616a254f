/** What a request would take, found without loading weights: `--dry-run`. */
import type { Runs } from '../backend/runs.ts'
import { loadChatTemplate } from '../chat-template/chat-template.ts'
import { encodePrompt } from '../engine/encode-prompt.ts'
import { DEFAULT_RAW_TOKENS, type GenerateRequest } from '../engine/request.ts'
import { withRepair } from '../hub-cache/check-cached.ts'
import { type PlannedModel, planModel } from '../hub-cache/plan-model.ts'
import { factsOf } from '../model/check-model-files.ts'
import { kvBytesPerToken, kvBytesToldBy } from '../model/kv-size.ts'
import type { ModelConfig } from '../model/resolved-model.ts'
import { samplingDefaults } from '../sampling/generation-defaults.ts'
import { overlaid, type SamplingOptions } from '../sampling/sampling-params.ts'
import { availableMemory } from '../system/available-memory.ts'
import { statusOf } from '../system/list-files.ts'
import { trustedSpoutCache } from '../system/spout-cache.ts'
import { loadPreparedTokenizer } from '../tokenizer/load-prepared.ts'
import { type ExpectedPages, expectedPages } from './expect-pages.ts'
import { expectedRuns } from './expect-run.ts'
import { configOf, noteNoTemplate, type OpenEngineOptions, resolveOptions } from './open-engine.ts'

export interface RunPlan {
  readonly model: string
  readonly revision: string | undefined
  readonly dtype: string
  readonly files: readonly { readonly path: string; readonly bytes: number }[]
  readonly promptTokens: number
  /** The prompt went through the model's chat template. */
  readonly isChat: boolean
  /** `undefined` when config.json names none. */
  readonly contextLength: number | undefined
  /** 0 = until the end. */
  readonly maxTokens: number
  /** Of the KV cache at its largest, in bytes; `undefined` when neither the graph nor config.json tells its shape. */
  readonly kvBytes: number | undefined
  readonly weightBytes: number
  /** Of the weights, what the run would fetch first. */
  readonly bytesToFetch: number
  readonly freeBytes: number
  /** What would run it; `undefined` of a model that is still to be fetched. */
  readonly runs: Runs | undefined
  readonly hasChatTemplate: boolean
  readonly sampling: SamplingOptions
  /** `undefined`: drawn when it runs. */
  readonly seed: bigint | undefined
  /** What of the prompt is on disk; `undefined`: not known before it runs, or nothing is read. */
  readonly onDisk: ExpectedPages | undefined
  /** Why it would not run, if so. */
  readonly obstacle: 'context' | 'memory' | undefined
}

/** @throws SpoutError as opening the engine would, for everything but the weights. */
export async function planRun(request: GenerateRequest, options: OpenEngineOptions): Promise<RunPlan> {
  const resolved = await planModel(resolveOptions(options, options))
  try {
    return await planOf(resolved, request, options)
  } catch (error) {
    throw withRepair(error, resolved)
  }
}

/** What tells how long prompts are, without the weights. */
export interface PromptMeter {
  readonly model: string
  readonly dtype: string
  /** `undefined` when config.json names none. */
  readonly contextLength: number | undefined
  readonly hasChatTemplate: boolean
  /** Tokens of a request's prompt. @throws SpoutError where the engine would. */
  measure(request: GenerateRequest): number
}

/** @throws SpoutError as opening the engine would, for everything but the weights. */
export async function openPromptMeter(options: OpenEngineOptions): Promise<PromptMeter> {
  const resolved = await planModel(resolveOptions(options, options))
  try {
    const { config, tokenizer, template } = await loadTexts(resolved, options)
    return {
      model: resolved.id,
      dtype: resolved.dtype,
      contextLength: shorter(options.contextLength, config.contextLength),
      hasChatTemplate: template !== undefined,
      measure: (request) => encodePrompt(request, tokenizer, template).ids.length,
    }
  } catch (error) {
    throw withRepair(error, resolved)
  }
}

/** All of a model that is read before its weights. */
async function loadTexts(resolved: PlannedModel, options: OpenEngineOptions) {
  const config = configOf(resolved, options)
  const cacheFolder = options.prepare === false ? undefined : trustedSpoutCache(process.env)
  const { tokenizer } = await loadPreparedTokenizer(resolved.folder, { cacheFolder })
  const template = await loadChatTemplate(resolved.folder, { file: options.chatTemplateFile })
  if (template === undefined) noteNoTemplate(resolved.folder, options)
  return { config, tokenizer, template }
}

async function planOf(
  resolved: PlannedModel,
  request: GenerateRequest,
  options: OpenEngineOptions,
): Promise<RunPlan> {
  const { config, tokenizer, template } = await loadTexts(resolved, options)
  const prompt = encodePrompt(request, tokenizer, template)
  for (const note of prompt.notes) options.note?.(note, 'warning')
  const isChat = prompt.rendered !== undefined
  const promptTokens = prompt.ids.length
  const maxTokens = request.maxTokens ?? (isChat ? 0 : DEFAULT_RAW_TOKENS)
  const contextLength = shorter(options.contextLength, config.contextLength)
  const { files, bytesToFetch } = resolved
  const sampling = overlaid(samplingDefaults(config.generation).options, request.sampling)
  const weightBytes = files.reduce((sum, { bytes }) => sum + bytes, 0)
  const tokens = Math.min(
    maxTokens === 0 ? Number.POSITIVE_INFINITY : promptTokens + maxTokens,
    contextLength ?? promptTokens + DEFAULT_RAW_TOKENS,
  )
  const kvBytes = kvBytesOf(resolved, config, tokens)
  const freeBytes = availableMemory()
  const tooLong = contextLength !== undefined && promptTokens >= contextLength
  const tooLarge = weightBytes + (kvBytes ?? 0) > freeBytes
  return {
    model: resolved.id,
    revision: resolved.revision,
    dtype: resolved.dtype,
    files,
    promptTokens,
    isChat,
    contextLength,
    maxTokens,
    kvBytes,
    weightBytes,
    bytesToFetch,
    freeBytes,
    runs: isHere(resolved) ? await expectedRuns(resolved, config, options) : undefined,
    hasChatTemplate: template !== undefined,
    sampling,
    seed: sampling.seed,
    onDisk:
      options.promptFiles && isHere(resolved)
        ? await expectedPages(prompt.ids, resolved, options)
        : undefined,
    obstacle: tooLong ? 'context' : tooLarge ? 'memory' : undefined,
  }
}

/** Bytes of keys and values of so many tokens, as far as they can be told. */
function kvBytesOf(model: PlannedModel, config: ModelConfig, tokens: number): number | undefined {
  const perToken = isHere(model)
    ? kvBytesPerToken(factsOf(model.onnxPath), config)
    : kvBytesToldBy(config, model.dtype)
  return perToken === undefined ? undefined : perToken * tokens
}

/** Of a model that is still to be fetched there is no graph to ask. */
const isHere = ({ onnxPath }: PlannedModel): boolean => statusOf(onnxPath)?.isFile() === true

function shorter(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}
