/** The backend over ONNX Runtime: a session with its plan, the buffers of a decode step, and the order of a run. */
import { afterDispose, SpoutError } from '../../errors.ts'
import type { ModelConfig } from '../../model/resolved-model.ts'
import { float16ToFloat32 } from '../../onnx-file/float16.ts'
import { stableMemory } from '../../system/stable-memory.ts'
import type { Tokenizer } from '../../tokenizer/tokenizer.ts'
import type { Backend, KvCache, Logits } from '../backend.ts'
import { pieceEnd } from '../pieces.ts'
import { Feeds } from './feeds.ts'
import { type BindingOwner, OnnxKvCache } from './kv-cache.ts'
import type { OpenedModel } from './load-session.ts'
import { NUM_LOGITS_TO_KEEP } from './passes/keep-last-rows.ts'

/** Tokens of one run of a prompt: measured fastest among 64 to 1,024, and small in memory; an interrupt is heard between. */
const PREFILL_CHUNK = 128

export class OnnxBackend implements Backend {
  readonly tokenizer: Tokenizer
  readonly eosTokenId: number | undefined
  readonly stopTokenIds: ReadonlySet<number>
  readonly vocabSize: number
  readonly contextLength: number
  readonly prefillChunk: number
  readonly exactSplits: boolean
  readonly settles: boolean
  readonly #loaded: OpenedModel
  readonly #feeds: Feeds
  readonly #logits: { readonly row: Float32Array }
  /** Where the runtime writes the last row: the row itself, or its half-precision bits. */
  readonly #output: Float32Array | Uint16Array
  readonly #owner: BindingOwner = { current: undefined }
  #rowBound = false
  /** From the start of a forward to its end: the buffers are of this one. */
  #isRunning = false
  #isDisposed = false

  /** @throws SpoutError `config` when the tokenizer is not this model's. */
  constructor(loaded: OpenedModel, tokenizer: Tokenizer, config: ModelConfig, contextLength?: number) {
    const { session, plan, embedder } = loaded
    this.#loaded = loaded
    this.tokenizer = tokenizer
    this.eosTokenId = config.eosTokenIds[0]
    this.stopTokenIds = new Set(config.eosTokenIds)
    this.vocabSize = plan.vocabSize
    this.contextLength = Math.min(contextLength ?? Number.POSITIVE_INFINITY, plan.contextLength)
    this.exactSplits = plan.exactSplits
    this.settles = plan.exactSplits && plan.chunking === 'any' && plan.slots.length > 0
    this.prefillChunk = prefillChunk(loaded)
    refuseOtherTokenizer(tokenizer, plan.vocabSize)
    this.#feeds = new Feeds(session, plan, embedder)
    const row = new Float32Array(stableMemory(4 * this.vocabSize))
    this.#logits = { row }
    this.#output = plan.logitsType === 'float16' ? new Uint16Array(stableMemory(2 * row.length)) : row
    if (plan.keepInput !== undefined) {
      const one = new BigInt64Array(stableMemory(8)).fill(1n)
      session.bindData(NUM_LOGITS_TO_KEEP, 'int64', one, plan.keepInput)
    }
  }

  createCache(expectedTokens = 0): KvCache {
    if (this.#isDisposed) throw afterDispose('backend')
    const { session, plan } = this.#loaded
    const limits = { expected: expectedTokens, most: this.contextLength }
    return new OnnxKvCache(session, plan, { limits, owner: this.#owner })
  }

  async forward(ids: Int32Array, cache: KvCache, signal?: AbortSignal): Promise<Logits> {
    signal?.throwIfAborted()
    if (this.#isDisposed) throw afterDispose('backend')
    if (this.#isRunning) throw new SpoutError('usage', 'backend: a forward began before the last one ended')
    this.#isRunning = true
    try {
      return await this.#forward(ids, cache, signal)
    } finally {
      this.#isRunning = false
    }
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true
    await this.#loaded.dispose()
  }

  async #forward(ids: Int32Array, cache: KvCache, signal?: AbortSignal): Promise<Logits> {
    const total = cache.length + ids.length
    if (total > this.contextLength) {
      throw new SpoutError('data', `prompt: ${total} tokens, the context holds ${this.contextLength}`)
    }
    const kv = cache as OnnxKvCache
    const todo = kv.prepare(ids)
    const { ropeSwitch } = this.#loaded.plan
    const most = todo === ids ? Number.POSITIVE_INFINITY : this.prefillChunk
    for (let start = 0, end = 0; start < todo.length; start = end) {
      end = this.#takesMany(kv.held) ? pieceEnd(start, most, todo.length) : start + 1
      // The graph takes the table by the length of a run: the first keys of a long text are of the long one.
      if (total > ropeSwitch) end = Math.max(end, Math.min(todo.length, start + ropeSwitch + 1 - kv.held))
      const part = end - start === todo.length ? todo : todo.subarray(start, end)
      const wholeOutput = this.#bind(part, kv)
      const isStep = part.length === 1
      if (this.#loaded.embedder !== undefined) await this.#loaded.embedder.session.run(signal, isStep)
      await this.#loaded.session.run(signal, isStep)
      kv.commit(part)
      if (wholeOutput) this.#copyLastRow()
    }
    kv.extendTo(total)
    if (this.#output instanceof Uint16Array) float16ToFloat32(this.#output, this.#logits.row)
    return this.#logits
  }

  #takesMany(held: number): boolean {
    const { chunking } = this.#loaded.plan
    return chunking === 'any' || (chunking === 'one-by-one' && held === 0)
  }

  /** True when the run will give all rows, because the graph knows no other way. */
  #bind(ids: Int32Array, kv: OnnxKvCache): boolean {
    this.#feeds.bind(ids, kv.held)
    kv.bind(ids.length)
    return this.#bindLogits(ids.length)
  }

  #bindLogits(count: number): boolean {
    const { session, plan } = this.#loaded
    if (plan.keepInput === undefined && !plan.isLastRow && count > 1) {
      session.bindOutput('logits')
      this.#rowBound = false
      return true
    }
    if (!this.#rowBound) {
      const dims = plan.logitsRank === 3 ? [1, 1, this.vocabSize] : [1, this.vocabSize]
      const tensor = session.wrap(plan.logitsType, dims, this.#output)
      session.bindOutput('logits', tensor)
      tensor.dispose()
      this.#rowBound = true
    }
    return false
  }

  #copyLastRow(): void {
    const all = this.#loaded.session.takeOutput('logits')
    // A pruned head gives one row however many ids went in.
    const start = all.data.length - this.vocabSize
    this.#output.set(all.data.subarray(start) as Float32Array)
    all.dispose()
  }
}

/**
 * Pieces of a prompt, where the graph may have them. A text that is long enough for the second rope table must be so
 * from its first run on, or its first keys would be of the other table.
 */
function prefillChunk({ plan }: OpenedModel): number {
  const inPieces = plan.chunking !== 'one-by-one' && plan.exactSplits && plan.slots.length > 0
  if (!inPieces) return Number.POSITIVE_INFINITY
  if (plan.ropeSwitch >= plan.contextLength) return PREFILL_CHUNK
  // A piece may give up two ids (see pieces.ts).
  return Math.max(PREFILL_CHUNK, plan.ropeSwitch + 3)
}

/**
 * Logits may be wider than the vocabulary (padding), and a few special tokens may lie beyond them (pictures, in a
 * model that only reads); an ordinary token there means that graph and tokenizer do not belong together.
 */
function refuseOtherTokenizer(tokenizer: Tokenizer, vocabSize: number): void {
  for (let id = vocabSize; id < tokenizer.vocabSize; id++) {
    if (tokenizer.isSpecial(id) || tokenizer.idToToken(id) === undefined) continue
    throw new SpoutError(
      'config',
      `tokenizer: ${tokenizer.vocabSize} tokens; the model has logits for ${vocabSize}`,
      {
        hint: 'tokenizer.json and the graph are of different models',
      },
    )
  }
}
