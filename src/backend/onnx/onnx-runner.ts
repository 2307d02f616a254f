/** Runs sequences over ONNX Runtime, one after another: a session with its plan, the buffers of a step, the order of a run. */
import { afterDispose, SpoutError } from '../../errors.ts'
import type { ModelConfig } from '../../model/resolved-model.ts'
import type { ModelFacts, Numerics, Part, Rows, Runner } from '../backend.ts'
import type { KvPool, SequenceStart } from '../kv.ts'
import { pieceEnd } from '../pieces.ts'
import { Feeds } from './feeds.ts'
import { type BindingOwner, OnnxKvCache } from './kv-cache.ts'
import type { OpenedModel } from './load-session.ts'
import { LogitRows, type RowRange } from './logit-rows.ts'
import { PagePool } from './pages/page-pool.ts'
import { PageTables } from './pages/page-tables.ts'
import { hasStates } from './plan/feed-plan.ts'
import { MOST_WANTED, modelFacts, PREFILL_CHUNK, wantedRows } from './run-limits.ts'
import type { Paging } from './states/paged-rows.ts'

/** On a graphics card (an H100: 8,000 tokens a second with 128 in a run, 37,000 with 1,024). */
const GPU_PREFILL_CHUNK = 1024

export class OnnxRunner implements Runner {
  readonly facts: ModelFacts
  readonly numerics: Numerics
  readonly pool: KvPool
  readonly #loaded: OpenedModel
  readonly #feeds: Feeds
  readonly #rows: LogitRows
  readonly #owner: BindingOwner = { current: undefined }
  readonly #paging: Paging | undefined
  /** From the start of a run to its end: the buffers are of this one. */
  #isRunning = false
  #isDisposed = false

  constructor(loaded: OpenedModel, config: ModelConfig, contextLength = Number.POSITIVE_INFINITY) {
    const { session, plan, embedder } = loaded
    this.#loaded = loaded
    this.facts = modelFacts(plan, config, contextLength)
    this.numerics = {
      exactSplits: plan.exactSplits,
      exactRows: false,
      mostParts: 1,
      mostRows: prefillChunk(loaded),
      mostWanted: MOST_WANTED,
      fingerprint: loaded.fingerprint,
    }
    this.pool = unpagedPool((start) => this.#open(start))
    this.#paging = pagingOf(loaded)
    this.#feeds = new Feeds(session, plan, embedder)
    this.#rows = new LogitRows(session, plan)
  }

  async run(batch: readonly Part[], signal?: AbortSignal): Promise<Rows> {
    signal?.throwIfAborted()
    if (this.#isDisposed) throw afterDispose('backend')
    if (this.#isRunning) throw new SpoutError('usage', 'backend: a forward began before the last one ended')
    this.#isRunning = true
    const before = batch.length > 1 ? batch.map(({ sequence }) => sequence.length) : undefined
    try {
      this.#reserveRows(batch)
      let at = 0
      for (let i = 0; i < batch.length; i++) {
        await this.#append(batch[i]!, at, signal)
        at += batch[i]!.wanted
      }
      return this.#rows
    } catch (error) {
      // The one that failed is as it was.
      for (const [i, length] of before?.entries() ?? []) batch[i]!.sequence.trim(length)
      throw error
    } finally {
      this.#isRunning = false
    }
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true
    await this.#loaded.dispose()
    this.#paging?.pool.dispose()
  }

  #open({ ids, expected = 0 }: SequenceStart = {}): OnnxKvCache {
    if (this.#isDisposed) throw afterDispose('backend')
    const { session, plan } = this.#loaded
    const limits = { expected, most: this.facts.contextLength }
    return new OnnxKvCache(session, plan, { limits, owner: this.#owner, paging: this.#paging, ids })
  }

  #reserveRows(batch: readonly Part[]): void {
    const count = wantedRows(batch)
    this.#rows.count = count
    // One more, for a last part of which none is wanted.
    this.#rows.reserve(batch.at(-1)?.wanted === 0 ? count + 1 : count)
  }

  /** Appends one part; its rows are written from row `at` on. */
  async #append({ sequence, ids, wanted }: Part, at: number, signal?: AbortSignal): Promise<void> {
    const total = sequence.length + ids.length
    if (total > this.facts.contextLength) {
      throw new SpoutError('data', `prompt: ${total} tokens, the context holds ${this.facts.contextLength}`)
    }
    const kv = sequence as OnnxKvCache
    const todo = kv.prepare(ids)
    const most = todo === ids ? Number.POSITIVE_INFINITY : this.numerics.mostRows
    const firstWanted = todo.length - wanted
    for (let start = 0, end = 0; start < todo.length; start = end) {
      end = this.#endOfRun(kv, { start, most, length: todo.length, total, firstWanted })
      const part = end - start === todo.length ? todo : todo.subarray(start, end)
      const first = Math.max(start, firstWanted)
      const range = { at: at + first - firstWanted, count: Math.max(0, end - first) }
      await this.#runOnce(part, kv, range, signal)
    }
    kv.extendTo(total)
  }

  async #runOnce(ids: Int32Array, kv: OnnxKvCache, range: RowRange, signal?: AbortSignal): Promise<void> {
    const { session, embedder } = this.#loaded
    this.#feeds.bind(ids, kv.held)
    kv.bind(ids.length)
    this.#rows.bind(ids.length, range)
    const isStep = ids.length === 1
    if (embedder !== undefined) await embedder.session.run(signal, isStep)
    await session.run(signal, isStep)
    kv.commit(ids)
    this.#rows.take(ids.length, range)
  }

  /** Where the run that begins at `start` ends. */
  #endOfRun(kv: OnnxKvCache, { start, most, length, total, firstWanted }: RunLimits): number {
    const { chunking, ropeSwitch } = this.#loaded.plan
    const takesMany = chunking === 'any' || (chunking === 'one-by-one' && kv.held === 0)
    let end = takesMany ? pieceEnd(start, most, length) : start + 1
    if (!this.#rows.givesSeveral) end = Math.min(end, Math.max(start, firstWanted) + 1)
    // The graph takes the table by the length of a run: the first keys of a long text are of the long one.
    if (total > ropeSwitch) end = Math.max(end, Math.min(length, start + ropeSwitch + 1 - kv.held))
    return end
  }
}

interface RunLimits {
  readonly start: number
  /** Ids of a run. */
  readonly most: number
  /** Ids to run. */
  readonly length: number
  /** Ids of the text afterwards. */
  readonly total: number
  /** The first id whose logits are wanted. */
  readonly firstWanted: number
}

/** Attention of ours has its keys and values in pages, whatever other states there are. */
function pagingOf({ session, plan }: OpenedModel): Paging | undefined {
  if (plan.pageBytes === undefined) return undefined
  const pool = new PagePool(plan.pageBytes)
  return { pool, tables: new PageTables(session, pool) }
}

/** Of states that are not shared. */
function unpagedPool(open: KvPool['open']): KvPool {
  return {
    isPaged: false,
    pageBytes: 0,
    freePages: Number.POSITIVE_INFINITY,
    limitTo: () => undefined,
    open,
    load() {
      throw new SpoutError('internal', 'pool: it has no pages')
    },
  }
}

/**
 * Pieces of a prompt, where the graph may have them. A text that is long enough for the second rope table must be so
 * from its first run on, or its first keys would be of the other table.
 */
function prefillChunk({ plan, session }: OpenedModel): number {
  const inPieces = plan.chunking !== 'one-by-one' && plan.exactSplits && hasStates(plan)
  if (!inPieces) return Number.POSITIVE_INFINITY
  const chunk = session.isOnGpu ? GPU_PREFILL_CHUNK : PREFILL_CHUNK
  if (plan.ropeSwitch >= plan.contextLength) return chunk
  // A piece may give up two ids (see pieces.ts).
  return Math.max(chunk, plan.ropeSwitch + 3)
}
