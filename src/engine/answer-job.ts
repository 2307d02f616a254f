/** A request as a text for the scheduler: what chooses its ids, where its answer goes, and what is told of it. */
import type { Backend, KvCache } from '../backend/backend.ts'
import type { ChatTemplate } from '../chat-template/chat-template.ts'
import type { DraftModel } from '../drafting/draft-model.ts'
import type { Drafter } from '../drafting/drafter.ts'
import { LookupDrafter } from '../drafting/lookup-drafter.ts'
import { ModelDrafter } from '../drafting/model-drafter.ts'
import { StepCosts } from '../drafting/step-costs.ts'
import { type GenerateResult, structureResult } from '../generation/generate.ts'
import { makeText, type TextOptions } from '../generation/make-text.ts'
import type { Sequence } from '../generation/sequence.ts'
import { tokenBudget } from '../generation/stop-criteria.ts'
import { markerIds, type ThinkMarkers, thinkMarkersOf } from '../generation/think-markers.ts'
import type { Structures } from '../grammar/structures.ts'
import { createSampler, type Sampler } from '../sampling/sampler.ts'
import { overlaid, type SamplingOptions } from '../sampling/sampling-params.ts'
import type { Job } from '../scheduler/job.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import type { EncodedPrompt } from './encode-prompt.ts'
import type { AnswerSink, EngineResult, RequestFacts, RequestIo } from './engine.ts'
import type { KeptCache } from './kept-cache.ts'
import type { OpenedStructure, openStructure } from './open-structure.ts'
import { type SplittingSink, splitReasoning } from './reasoning.ts'
import { DEFAULT_RAW_TOKENS, type GenerateRequest, MOST_DRAFTS } from './request.ts'
import type { FromDisk } from './stored-prompts.ts'
import { namingTokens } from './token-names.ts'

export interface AnswerModel {
  /** Borrowed. */
  readonly backend: Backend
  /** The author's sampling, under what a request sets. */
  readonly defaults: SamplingOptions
  readonly template: ChatTemplate | undefined
  /** What ends an answer of a chat; without it what ends any text. */
  readonly chatStops?: ReadonlySet<number> | undefined
  /** What steps cost, of all requests: how many guesses pay. */
  readonly costs?: StepCosts | undefined
  /** Whose choices are guesses: of one request at a time. Borrowed here. */
  readonly draftModel?: DraftModel | undefined
  /** Told what a user should know. */
  readonly note?: ((text: string) => void) | undefined
  /** What is known of structures, of all requests. */
  readonly structures?: (() => Promise<Structures>) | undefined
}

export interface Asked {
  readonly request: GenerateRequest
  readonly io: RequestIo
  readonly prompt: EncodedPrompt
  /** What was read of its beginning. */
  readonly fromDisk?: FromDisk | undefined
  readonly kept: KeptCache
  /** More requests will follow: states that cannot go back are worth a copy. */
  readonly goesOn: boolean
}

interface StructureOpener {
  readonly structures: Structures
  readonly open: typeof openStructure
}

export class AnswerJob implements Job {
  readonly #model: AnswerModel
  readonly #asked: Asked
  readonly #sampling: SamplingOptions
  readonly #maxTokens: number
  #begun: Begun | undefined
  #opener: StructureOpener | undefined
  #modelDrafter: ModelDrafter | undefined

  constructor(model: AnswerModel, asked: Asked) {
    const { request, prompt } = asked
    this.#model = model
    this.#asked = asked
    this.#sampling = overlaid(model.defaults, request.sampling)
    this.#maxTokens = request.maxTokens ?? (prompt.rendered === undefined ? DEFAULT_RAW_TOKENS : 0)
  }

  get tokens(): number {
    const { kept, prompt } = this.#asked
    return kept.missing(this.#begun?.text.ids ?? prompt.ids)
  }

  get signal(): AbortSignal | undefined {
    return this.#asked.io.signal
  }

  /** Loads what opens its structure. Few requests have one, and the code for it is loaded for them only. */
  async loadStructure(): Promise<void> {
    const { openStructure, structuresOf } = await import('./open-structure.ts')
    const { backend, structures } = this.#model
    this.#opener = {
      open: openStructure,
      structures: (await structures?.()) ?? structuresOf(backend.tokenizer),
    }
  }

  get isStructured(): boolean {
    return this.#asked.request.structure !== undefined
  }

  open(): Sequence {
    const { kept, prompt } = this.#asked
    const text = this.#begun?.text
    const expected = prompt.ids.length + (this.#maxTokens || DEFAULT_RAW_TOKENS)
    const cache = kept.keep(text?.ids ?? prompt.ids, expected)
    if (text === undefined) return this.#begin(cache).text
    text.moveTo(cache, cache.length)
    return text
  }

  setBack(): void {
    this.#asked.kept.drop()
  }

  close(): void {
    this.#modelDrafter?.dispose()
    const { kept, prompt } = this.#asked
    kept.hold(this.#begun?.text.ids ?? prompt.ids, prompt.ids.length)
  }

  /** The text has finished, or was aborted before it began: hands over what was held back. */
  async finish(): Promise<EngineResult> {
    const { text, split, facts, structured, sampler } = this.#begun ?? this.#begin()
    text.finished ??= 'aborted'
    await text.end()
    const result: GenerateResult = {
      finishReason: text.finished,
      tokenIds: [...text.chosen],
      timings: text.timings,
      ...(text.isDrafted && { drafts: { ...text.drafts } }),
      ...(structured && { structure: structureResult(structured.constraint, text, sampler) }),
    }
    structured?.release()
    await split?.end()
    const isEmpty = split?.onlyReasoned === true && result.finishReason !== 'aborted'
    return {
      ...result,
      ...(isEmpty && { finishReason: 'reasoning' as const }),
      ...facts,
      maxTokens: this.#maxTokens,
      completionTokens: result.tokenIds.length,
      lengthLimit: this.#asked.request.maxTokens === undefined ? 'default' : 'asked',
    }
  }

  /** The text failed: hands over what was held back. */
  async fail(): Promise<void> {
    if (this.#begun === undefined) return
    const { text, split, structured } = this.#begun
    structured?.release()
    try {
      await text.end()
    } finally {
      await split?.end()
    }
  }

  #begin(cache?: KvCache): Begun {
    const { request, io, prompt, fromDisk } = this.#asked
    const { ids, rendered } = prompt
    const { vocabSize, contextLength } = this.#model.backend
    const stops = this.#stops
    const structured = this.#openStructure()
    const model = { vocabSize, contextLength, stopTokenIds: stops }
    const sampler = createSampler(this.#sampling, model, [], structured?.constraint)
    const held = cache?.length ?? 0
    io.trace?.('prompt', { tokens: ids.length, kept: held, text: rendered ?? request.text })
    const facts = {
      ...{ promptTokens: ids.length, keptTokens: held, seed: sampler.seed },
      ...{ sampling: this.#sampling, isChat: rendered !== undefined },
      ...(fromDisk && { fromDisk }),
    }
    io.onStart?.(facts)
    io.onPrefill?.(0, ids.length - held)
    const split = this.#split()
    const text = this.#makeText(cache, { sampler, split, structured })
    this.#begun = { facts, split, structured, sampler, text }
    return this.#begun
  }

  #openStructure(): OpenedStructure | undefined {
    const { request, prompt } = this.#asked
    if (request.structure === undefined) return undefined
    const { open, structures } = this.#opener!
    const { contextLength, tokenizer } = this.#model.backend
    return open(request.structure, {
      ...{
        structures,
        tokenizer,
        prompt,
        stopIds: this.#stops,
        markers: this.#markers,
      },
      budget: tokenBudget({ maxTokens: this.#maxTokens, contextLength, promptTokens: prompt.ids.length }),
    })
  }

  #makeText(cache: KvCache | undefined, { sampler, split, structured }: TextParts): Sequence {
    const { request, io, prompt } = this.#asked
    const { backend } = this.#model
    const sink = split ?? io.sink
    const isExact = backend.runner?.numerics.exactRows === true
    const options = {
      sampler,
      constraint: structured?.constraint,
      jump: isExact && request.structure !== undefined && request.structure.jump !== 'off',
      sink: request.sampling.logprobs === undefined ? sink : namingTokens(sink, backend.tokenizer),
      stopStrings: split === undefined || request.stopInReasoning ? request.stopStrings : [],
      stopped: split && (() => split.stopped),
      ignoreEos: request.ignoreEos,
      maxTokens: this.#maxTokens,
      continuation: prompt.rendered === undefined,
      keepIds: split && markerIds(backend.tokenizer, this.#markers!),
      stopTokenIds: this.#stops,
      ...this.#drafting(isExact),
      trace: io.trace,
      onPrefill: this.#onPrefill(),
    }
    return makeText(backend, options, { kv: cache, prompt: prompt.ids, held: cache?.length ?? 0 })
  }

  /** What guesses. Rows that are not exact are run beside others only where that was asked for. */
  #drafting(isExact: boolean): Pick<TextOptions, 'drafters' | 'mostDrafts'> {
    const { request, prompt } = this.#asked
    const { expect = '', drafts = 'auto' } = request
    if (drafts === 'off' || (drafts === 'auto' && !isExact)) return {}
    const { backend, costs = new StepCosts() } = this.#model
    const expected = backend.tokenizer.encode(expect, { addSpecialTokens: false })
    const drafter = new LookupDrafter({ length: drafts, costs, expected, promptLength: prompt.ids.length })
    const drafters = [drafter, ...this.#modelDrafting(drafts, costs)]
    return { drafters, mostDrafts: drafts === 'auto' ? MOST_DRAFTS : drafts }
  }

  #modelDrafting(length: number | 'auto', costs: StepCosts): Drafter[] {
    const { draftModel: model, note } = this.#model
    if (model === undefined) return []
    const onFailure = (error: unknown): void =>
      note?.(`draft-model: it failed, and is not asked any more: ${(error as Error).message}`)
    this.#modelDrafter = new ModelDrafter({ model, costs, length, onFailure })
    return [this.#modelDrafter]
  }

  get #stops(): ReadonlySet<number> {
    const { backend, chatStops } = this.#model
    const isChat = this.#asked.prompt.rendered !== undefined
    return isChat ? (chatStops ?? backend.stopTokenIds) : backend.stopTokenIds
  }

  get #markers(): readonly ThinkMarkers[] | undefined {
    const { template, backend } = this.#model
    return template && thinkMarkersOf(template.source, backend.tokenizer)
  }

  #split(): SplittingSink | undefined {
    const { request, io, prompt } = this.#asked
    const markers = this.#markers
    if (prompt.rendered === undefined || markers === undefined) return undefined
    const sink = request.structure === undefined ? io.sink : { ...DROPPING, ...io.sink }
    if (sink.reasoning === undefined) return undefined
    return splitReasoning(sink as Required<AnswerSink>, {
      markers,
      prompt: prompt.rendered,
      stopStrings: request.stopInReasoning ? [] : request.stopStrings,
    })
  }

  /** What of the prompt is computed may be shared, and is told. */
  #onPrefill(): RequestIo['onPrefill'] {
    const { io, kept, goesOn, prompt } = this.#asked
    const told = goesOn ? markingAtEnd(kept, io.onPrefill) : io.onPrefill
    return (done, total) => {
      kept.share(prompt.ids)
      told?.(done, total)
    }
  }
}

/** Reasoning is no part of a structure: where nobody asks for it, it goes nowhere. */
const DROPPING: Pick<AnswerSink, 'reasoning'> = { reasoning: () => undefined }

type TextParts = Pick<Begun, 'split' | 'structured' | 'sampler'>

/** Writes the answer. @throws what ended it, once what was held back is handed over */
export async function runAnswer(scheduler: Scheduler, job: AnswerJob): Promise<EngineResult> {
  if (job.isStructured) await job.loadStructure()
  try {
    await scheduler.run(job)
  } catch (error) {
    await job.fail()
    throw error
  }
  return job.finish()
}

interface Begun {
  readonly text: Sequence
  readonly structured: OpenedStructure | undefined
  readonly sampler: Sampler
  readonly facts: RequestFacts
  readonly split: SplittingSink | undefined
}

/**
 * Marks the cache when all ids of a prompt are in it: it keeps the states there, where they can go back to nothing else, and the
 * next turn begins there.
 */
export function markingAtEnd(kept: KeptCache, onPrefill: RequestIo['onPrefill']): RequestIo['onPrefill'] {
  return (done, total) => {
    if (done === total) kept.cache?.mark()
    onPrefill?.(done, total)
  }
}
