/** Runs rows of many sequences at once, where all attention of a graph is ours: keys and values in pages, one run of the session. */
import { afterDispose, SpoutError } from '../../errors.ts'
import type { ModelConfig } from '../../model/resolved-model.ts'
import type { ModelFacts, Numerics, Part, Rows, Runner } from '../backend.ts'
import { pieceEnd } from '../pieces.ts'
import type { OpenedModel } from './load-session.ts'
import { LogitRows } from './logit-rows.ts'
import { PagePool } from './pages/page-pool.ts'
import { PagedPool } from './pages/paged-pool.ts'
import type { PagedSequence } from './pages/paged-sequence.ts'
import { RaggedFeeds } from './ragged-feeds.ts'
import { checkFits, MOST_WANTED, modelFacts, PREFILL_CHUNK, wantedRows } from './run-limits.ts'

export class PagedRunner implements Runner {
  readonly facts: ModelFacts
  readonly numerics: Numerics
  readonly pool: PagedPool
  readonly #loaded: OpenedModel
  readonly #feeds: RaggedFeeds
  readonly #rows: LogitRows
  /** From the start of a run to its end: the buffers are of this one. */
  #isRunning = false
  #isDisposed = false

  /** @param loaded of a plan with pages, whose rows may be of several sequences */
  constructor(loaded: OpenedModel, config: ModelConfig, contextLength = Number.POSITIVE_INFINITY) {
    const { session, plan, embedder, exactRows, fingerprint } = loaded
    const pages = new PagePool(plan.pageBytes!)
    this.#loaded = loaded
    this.facts = modelFacts(plan, config, contextLength)
    this.numerics = {
      exactSplits: plan.exactSplits,
      exactRows,
      mostParts: Number.POSITIVE_INFINITY,
      mostRows: PREFILL_CHUNK,
      mostWanted: MOST_WANTED,
      fingerprint,
    }
    this.pool = new PagedPool(pages)
    this.#feeds = new RaggedFeeds({ session, plan, pages, embedder })
    this.#rows = new LogitRows(session, plan)
  }

  async run(batch: readonly Part[], signal?: AbortSignal): Promise<Rows> {
    signal?.throwIfAborted()
    if (this.#isDisposed) throw afterDispose('backend')
    if (this.#isRunning) throw new SpoutError('usage', 'backend: a forward began before the last one ended')
    this.#isRunning = true
    try {
      checkDistinct(batch)
      checkFits(batch, this.facts.contextLength)
      const count = wantedRows(batch)
      for (let i = 0; i < batch.length; i++) await this.#catchUp(batch[i]!.sequence as PagedSequence, signal)
      await this.#runOnce(batch, count, signal)
      for (let i = 0; i < batch.length; i++) (batch[i]!.sequence as PagedSequence).append(batch[i]!.ids)
      return this.#rows
    } finally {
      this.#isRunning = false
    }
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true
    await this.#loaded.dispose()
    this.pool.dispose()
  }

  /** Runs the ids that a text began with and no page held. */
  async #catchUp(sequence: PagedSequence, signal?: AbortSignal): Promise<void> {
    for (let { pending } = sequence; pending.length > 0; pending = sequence.pending) {
      const ids = pending.subarray(0, pieceEnd(0, this.numerics.mostRows, pending.length))
      await this.#runOnce([{ sequence, ids, wanted: 0 }], 0, signal)
      sequence.catchUp(ids.length)
    }
  }

  async #runOnce(batch: readonly Part[], wanted: number, signal?: AbortSignal): Promise<void> {
    const { session, embedder } = this.#loaded
    let rows = 0
    for (let i = 0; i < batch.length; i++) {
      const { sequence, ids } = batch[i]!
      ;(sequence as PagedSequence).reserve(ids.length)
      rows += ids.length
    }
    if (rows === 0) return
    this.#feeds.bind(batch)
    this.#rows.bindWanted(wanted)
    const isStep = rows === 1
    if (embedder !== undefined) await embedder.session.run(signal, isStep)
    await session.run(signal, isStep)
    this.#rows.takeWanted()
  }
}

/** Each row is appended to a text: two parts of one would write the same place. */
function checkDistinct(batch: readonly Part[]): void {
  for (let i = 1; i < batch.length; i++) {
    for (let j = 0; j < i; j++) {
      if (batch[i]!.sequence === batch[j]!.sequence) {
        throw new SpoutError('internal', 'runner: a sequence is in a run twice')
      }
    }
  }
}
