/** The engine in this process: a request becomes ids, a sampler and a run of the token loop. */
import type { Backend } from '../backend/backend.ts'
import { SpoutError } from '../errors.ts'
import { generate } from '../generation/generate.ts'
import { createSampler } from '../sampling/sampler.ts'
import type { SamplingOptions } from '../sampling/sampling-params.ts'
import { type ChatTemplate, encodeChat, renderChat } from '../tokenizer/chat-template.ts'
import type { Engine, EngineDoor, EngineModel, EngineResult } from './engine.ts'
import { DEFAULT_RAW_TOKENS, type GenerateRequest } from './request.ts'

export interface LocalEngineParts {
  readonly model: EngineModel
  /** Owned: disposed with the engine. */
  readonly backend: Backend
  /** The author's sampling, under what a request sets. */
  readonly defaults: SamplingOptions
  readonly template: ChatTemplate | undefined
}

export function createLocalEngine(parts: LocalEngineParts): Engine {
  const { backend, defaults, model } = parts
  return {
    model,
    async generate(request, door): Promise<EngineResult> {
      const template = request.raw ? undefined : parts.template
      const promptIds = encodePrompt(request, backend, template)
      checkFits(promptIds.length, backend.contextLength)
      const sampler = createSampler({ ...defaults, ...present(request.sampling) }, backend)
      const maxTokens = request.maxTokens ?? (template === undefined ? DEFAULT_RAW_TOKENS : 0)
      const cache = backend.createCache(promptIds.length + (maxTokens || DEFAULT_RAW_TOKENS))
      try {
        const result = await generate({
          ...loopOptions(request, door),
          backend,
          cache,
          promptIds,
          sampler,
          maxTokens,
          continuation: template === undefined,
        })
        return {
          ...result,
          promptTokens: promptIds.length,
          seed: sampler.seed,
          maxTokens,
          lengthLimit: lengthLimit(request, maxTokens, backend.contextLength - promptIds.length),
        }
      } finally {
        cache.dispose()
      }
    },
    dispose: () => backend.dispose(),
  }
}

/** The options that are set: an absent one must not hide the default. */
function present(options: SamplingOptions): SamplingOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function loopOptions(request: GenerateRequest, door: EngineDoor) {
  const { stopStrings, ignoreEos } = request
  return { ...door, stopStrings, ignoreEos }
}

function encodePrompt(
  request: GenerateRequest,
  { tokenizer }: Backend,
  template: ChatTemplate | undefined,
): Int32Array {
  const { allowSpecial, messages, templateArgs } = request
  if (template === undefined) return tokenizer.encode(request.text, { allowSpecial })
  return encodeChat(
    tokenizer,
    renderChat({ template, tokenizer }, messages, { allowSpecial, args: templateArgs }),
  )
}

function checkFits(promptTokens: number, contextLength: number): void {
  if (promptTokens < contextLength) return
  throw new SpoutError('data', `prompt: it is ${promptTokens} tokens, the context holds ${contextLength}`, {
    hint: 'shorten the text, or use a model with a longer context',
  })
}

function lengthLimit(request: GenerateRequest, maxTokens: number, room: number): EngineResult['lengthLimit'] {
  if (maxTokens === 0 || room < maxTokens) return 'context'
  return request.maxTokens === undefined ? 'default' : 'asked'
}
