/**
 * Requests over one KV cache. Each request brings its whole prompt; what it shares with what the cache holds, from the
 * first id on, is kept, and only the rest is computed. Whether that rest is a new turn or the whole prompt is not
 * decided but found: an edited message or another template costs exactly what it changed.
 */
import type { Backend, KvCache } from '../backend/backend.ts'
import { SpoutError } from '../errors.ts'
import { generate } from '../generation/generate.ts'
import { markerIds, thinkMarkersOf } from '../generation/think-splitter.ts'
import { createSampler, type Sampler } from '../sampling/sampler.ts'
import type { SamplingOptions } from '../sampling/sampling-params.ts'
import type { ChatTemplate } from '../tokenizer/chat-template.ts'
import { type EncodedPrompt, encodePrompt } from './encode-prompt.ts'
import type { AnswerSink, Conversation, EngineDoor, EngineResult } from './engine.ts'
import { type SplittingSink, splitReasoning } from './reasoning.ts'
import { DEFAULT_RAW_TOKENS, type GenerateRequest } from './request.ts'

export interface ConversationParts {
  /** Borrowed. */
  readonly backend: Backend
  /** The author's sampling, under what a request sets. */
  readonly defaults: SamplingOptions
  readonly template: ChatTemplate | undefined
}

export class LocalConversation implements Conversation {
  readonly #parts: ConversationParts
  #cache: KvCache | undefined
  /** The ids the cache holds. */
  #held = new Int32Array(0)

  constructor(parts: ConversationParts) {
    this.#parts = parts
  }

  async generate(request: GenerateRequest, door: EngineDoor): Promise<EngineResult> {
    const { backend, defaults, template } = this.#parts
    const prompt = door.encoded ?? encodePrompt(request, backend.tokenizer, template)
    const { ids } = prompt
    checkFits(ids.length, backend.contextLength)
    const sampler = createSampler({ ...defaults, ...present(request.sampling) }, backend)
    const maxTokens = request.maxTokens ?? (prompt.rendered === undefined ? DEFAULT_RAW_TOKENS : 0)
    const kept = this.#keep(ids, ids.length + (maxTokens || DEFAULT_RAW_TOKENS))
    sampler.accept(ids.subarray(0, kept))
    door.trace?.('prompt', { tokens: ids.length, kept, text: prompt.rendered ?? request.text })
    door.onPrefill?.(0, ids.length - kept)
    const result = await this.#run({ request, door, prompt, sampler, maxTokens, kept })
    return {
      ...result,
      promptTokens: ids.length,
      keptTokens: kept,
      seed: sampler.seed,
      maxTokens,
      lengthLimit: lengthLimit(request, maxTokens, backend.contextLength - ids.length),
    }
  }

  dispose(): void {
    this.#cache?.dispose()
    this.#cache = undefined
    this.#held = new Int32Array(0)
  }

  async #run({ request, door, prompt, sampler, maxTokens, kept }: RunInput) {
    const { backend, template } = this.#parts
    const { stopStrings, ignoreEos } = request
    const cache = this.#cache!
    const split = splitterOf(door.sink, prompt, template)
    let generated: readonly number[] = []
    try {
      const result = await generate({
        ...door,
        sink: split ?? door.sink,
        stopStrings,
        ignoreEos,
        backend,
        cache,
        promptIds: prompt.ids.subarray(kept),
        sampler,
        maxTokens,
        continuation: prompt.rendered === undefined,
        keepIds: split && markerIds(backend.tokenizer, thinkMarkersOf(template!.source)),
      })
      generated = result.tokenIds
      return result
    } finally {
      // After a failure the generated ids are not known: what is beyond the prompt is forgotten.
      const all = Int32Array.from([...prompt.ids, ...generated])
      this.#held = all.slice(0, cache.length)
      cache.trim(this.#held.length)
      await split?.end()
    }
  }

  /** Brings the cache to the common beginning of `ids` and what it holds; gives its length, always less than all. */
  #keep(ids: Int32Array, expectedTokens: number): number {
    const { backend } = this.#parts
    // Where the split of a text over runs changes the logits, only a whole new run gives what a fresh one would.
    const shared = backend.exactSplits
      ? Math.max(0, Math.min(commonLength(this.#held, ids), ids.length - REST))
      : 0
    this.#cache?.trim(shared)
    if (this.#cache !== undefined && this.#cache.length !== shared) this.dispose()
    this.#cache ??= backend.createCache(expectedTokens)
    return this.#cache.length
  }
}

/** Ids that are run in any case: one for its logits, and two so that they run as a prompt does (see prefill.ts). */
const REST = 2

interface RunInput {
  readonly request: GenerateRequest
  readonly door: EngineDoor
  readonly prompt: EncodedPrompt
  readonly sampler: Sampler
  readonly maxTokens: number
  readonly kept: number
}

function splitterOf(
  sink: AnswerSink,
  { rendered }: EncodedPrompt,
  template: ChatTemplate | undefined,
): SplittingSink | undefined {
  if (rendered === undefined || template === undefined || sink.reasoning === undefined) return undefined
  return splitReasoning(sink as Required<AnswerSink>, { templateSource: template.source, prompt: rendered })
}

function commonLength(a: Int32Array, b: Int32Array): number {
  const most = Math.min(a.length, b.length)
  let length = 0
  while (length < most && a[length] === b[length]) length++
  return length
}

/** The options that are set: an absent one must not hide the default. */
function present(options: SamplingOptions): SamplingOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

/** @throws SpoutError `data` when no room for an answer is left. */
function checkFits(promptTokens: number, contextLength: number): void {
  if (promptTokens === 0) throw new SpoutError('data', 'prompt: it has no tokens')
  if (promptTokens < contextLength) return
  throw new SpoutError('data', `prompt: it is ${promptTokens} tokens, the context holds ${contextLength}`, {
    hint: 'shorten the text, or use a model with a longer context',
  })
}

function lengthLimit(request: GenerateRequest, maxTokens: number, room: number): EngineResult['lengthLimit'] {
  if (maxTokens === 0 || room < maxTokens) return 'context'
  return request.maxTokens === undefined ? 'default' : 'asked'
}
