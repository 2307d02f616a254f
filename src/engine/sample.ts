/**
 * Several answers to one request. Where texts share runs, one computes the prompt and the others begin with a fork of its
 * cache; elsewhere they are written one after another in one cache, of which the prompt stays.
 */
import type { KvSequence } from '../backend/kv.ts'
import { freshSeed, sampleSeed } from '../sampling/rng.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { AnswerJob, runAnswer } from './answer-job.ts'
import { type ConversationParts, readPrompt } from './conversation.ts'
import type { EngineResult, RequestIo } from './engine.ts'
import { HeldPrefix } from './held-prefix.ts'
import { KeptCache } from './kept-cache.ts'
import type { GenerateRequest } from './request.ts'

export async function sample(
  parts: SampleParts,
  request: GenerateRequest,
  ios: readonly RequestIo[],
): Promise<EngineResult[]> {
  parts.scheduler.throwIfClosed()
  const prompt = readPrompt(parts, request, ios[0])
  const fromDisk = parts.stored && (await parts.stored.bring(prompt.ids))
  const seed = request.sampling.seed ?? freshSeed()
  const stopping = new AbortController()
  const start = sharesPrompt(parts) ? new SharedStart(parts) : new OneCache(parts)
  const answers = ios.map(async (io, i) => {
    await start.turn(i)
    const signal = io.signal === undefined ? stopping.signal : AbortSignal.any([io.signal, stopping.signal])
    const sampled = { ...request, sampling: { ...request.sampling, seed: sampleSeed(seed, i) } }
    const asked = {
      request: sampled,
      io: start.watching(i, { ...io, signal }),
      prompt,
      fromDisk,
      goesOn: false,
    }
    try {
      return await runAnswer(parts.scheduler, new AnswerJob(parts, { ...asked, kept: start.cacheOf(i) }))
    } catch (error) {
      stopping.abort(error)
      throw error
    } finally {
      start.left(i)
    }
  })
  const ends = await Promise.allSettled(answers)
  start.dispose()
  return ends.map((end) => {
    if (end.status === 'rejected') throw stopping.signal.reason
    return end.value
  })
}

function sharesPrompt({ scheduler, caches }: SampleParts): boolean {
  return caches !== undefined && scheduler.sharesRuns
}

type SampleParts = ConversationParts & { readonly scheduler: Scheduler }

/** Whose cache is which, and who waits for whom. */
interface Start {
  /** Resolves when that answer may begin. */
  turn(index: number): Promise<void>
  watching(index: number, io: RequestIo): RequestIo
  cacheOf(index: number): KeptCache
  left(index: number): void
  dispose(): void
}

/** One cache after another: each trims it to the prompt. */
class OneCache implements Start {
  readonly #kept: KeptCache
  readonly #turns: Promise<void>[] = [Promise.resolve()]
  readonly #leave: (() => void)[] = []

  constructor({ backend }: ConversationParts) {
    this.#kept = new KeptCache(backend)
  }

  turn(index: number): Promise<void> {
    this.#turns[index + 1] = new Promise((resolve) => {
      this.#leave[index] = resolve
    })
    return this.#turns[index]!
  }

  watching(_: number, io: RequestIo): RequestIo {
    return io
  }

  cacheOf(): KeptCache {
    return this.#kept
  }

  left(index: number): void {
    this.#leave[index]!()
  }

  dispose(): void {
    this.#kept.drop()
  }
}

/** The first computes the prompt; the others begin with a fork of what is there then. */
class SharedStart implements Start {
  readonly #parts: ConversationParts
  readonly #kept: KeptCache[] = []
  readonly #isComputed: Promise<void>
  #tell!: () => void
  readonly #prompt: HeldPrefix

  constructor(parts: ConversationParts) {
    this.#parts = parts
    this.#prompt = new HeldPrefix(parts.caches!)
    this.#isComputed = new Promise((resolve) => {
      this.#tell = resolve
    })
  }

  async turn(index: number): Promise<void> {
    if (index > 0) await this.#isComputed
  }

  watching(index: number, io: RequestIo): RequestIo {
    if (index > 0) return io
    const onPrefill = (done: number, total: number): void => {
      io.onPrefill?.(done, total)
      if (done < total) return
      this.#prompt.hold(this.#kept[0]!.cache as KvSequence | undefined)
      this.#tell()
    }
    return { ...io, onPrefill }
  }

  cacheOf(index: number): KeptCache {
    const { backend, caches } = this.#parts
    const kept = new KeptCache(backend, index === 0 ? caches : this.#prompt)
    this.#kept[index] = kept
    return kept
  }

  left(index: number): void {
    this.#kept[index]?.drop()
    if (index === 0) this.#tell()
  }

  dispose(): void {
    this.#prompt.drop()
  }
}
