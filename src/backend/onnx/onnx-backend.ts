/** The backend over ONNX Runtime: one session, its feed plan, and the buffers of a decode step, made once. */
import { SpoutError } from '../../errors.ts'
import type { ModelConfig } from '../../model/resolved-model.ts'
import type { Tokenizer } from '../../tokenizer/tokenizer.ts'
import type { Backend, KvCache, Logits } from '../backend.ts'
import type { FeedPlan } from './feed-plan.ts'
import { float16ToFloat32 } from './float16.ts'
import { NUM_LOGITS_TO_KEEP } from './graph/keep-last-rows.ts'
import { type BindingOwner, HandOverKvCache, type OnnxKvCache, SharedKvCache } from './kv-cache.ts'
import type { Session } from './runtime/runtime.ts'
import { stableMemory } from './runtime/stable-memory.ts'

/** Used when the config names no context length. */
const DEFAULT_CONTEXT = 2048

export interface LoadedSession {
  readonly session: Session
  readonly plan: FeedPlan
}

export class OnnxBackend implements Backend {
  readonly tokenizer: Tokenizer
  readonly eosTokenId: number | undefined
  readonly stopTokenIds: ReadonlySet<number>
  readonly vocabSize: number
  readonly contextLength: number
  readonly #session: Session
  readonly #plan: FeedPlan
  readonly #logits: { readonly row: Float32Array }
  /** Where the runtime writes the last row: the row itself, or its half-precision bits. */
  readonly #output: Float32Array | Uint16Array
  readonly #owner: BindingOwner = { current: undefined }
  // Inputs of a decode step, shape [1, 1]. An id is below 2^31: its low half is written, the high half stays 0.
  readonly #id = new Int32Array(stableMemory(8))
  readonly #position = new Int32Array(stableMemory(8))
  readonly #one = new BigInt64Array(stableMemory(8)).fill(1n)
  #mask = new BigInt64Array(stableMemory(8 * 1024)).fill(1n)
  readonly #maskDims = [1, 0]
  /** True while `#id` and `#position` are bound, as they are from one decode step to the next. */
  #stepBound = false
  #rowBound = false

  constructor(loaded: LoadedSession, tokenizer: Tokenizer, config: ModelConfig, contextLength?: number) {
    this.#session = loaded.session
    this.#plan = loaded.plan
    this.tokenizer = tokenizer
    this.eosTokenId = config.eosTokenIds[0]
    this.stopTokenIds = new Set(config.eosTokenIds)
    this.vocabSize = loaded.plan.vocabSize
    this.contextLength = Math.min(
      contextLength ?? Number.POSITIVE_INFINITY,
      config.contextLength ?? DEFAULT_CONTEXT,
    )
    const row = new Float32Array(stableMemory(4 * this.vocabSize))
    this.#logits = { row }
    this.#output = loaded.plan.logitsType === 'float16' ? new Uint16Array(stableMemory(2 * row.length)) : row
    if (loaded.plan.hasNumLogitsToKeep) loaded.session.bindData(NUM_LOGITS_TO_KEEP, 'int64', this.#one, [])
  }

  get prefillChunk(): number {
    return PREFILL_CHUNK
  }

  createCache(expectedTokens = 0): KvCache {
    const limits = { expected: expectedTokens, most: this.contextLength }
    return this.#plan.appendsInPlace && this.#session.writesInPlace
      ? new SharedKvCache(this.#session, this.#plan.slots, limits, this.#owner)
      : new HandOverKvCache(this.#session, this.#plan.slots)
  }

  async forward(ids: Int32Array, cache: KvCache, signal?: AbortSignal): Promise<Logits> {
    const total = cache.length + ids.length
    if (total > this.contextLength) {
      throw new SpoutError('data', `prompt: ${total} tokens, the context holds ${this.contextLength}`)
    }
    const kv = cache as OnnxKvCache
    kv.bind(ids.length)
    if (ids.length === 1) this.#bindStep(ids[0]!, cache.length)
    else this.#bindIds(ids, cache.length)
    if (this.#plan.hasAttentionMask) this.#bindMask(total)
    const wholeOutput = this.#bindLogits(ids.length)
    await this.#session.run(signal)
    kv.commit(ids.length)
    if (wholeOutput) this.#copyLastRow(ids.length)
    if (this.#output instanceof Uint16Array) float16ToFloat32(this.#output, this.#logits.row)
    return this.#logits
  }

  async dispose(): Promise<void> {
    await this.#session.dispose()
  }

  #bindStep(id: number, position: number): void {
    this.#id[0] = id
    this.#position[0] = position
    if (this.#stepBound && this.#session.writesInPlace) return
    this.#session.bindData('input_ids', 'int64', new BigInt64Array(this.#id.buffer), ONE_BY_ONE)
    if (this.#plan.hasPositionIds) {
      this.#session.bindData('position_ids', 'int64', new BigInt64Array(this.#position.buffer), ONE_BY_ONE)
    }
    this.#stepBound = true
  }

  #bindIds(ids: Int32Array, position: number): void {
    const dims = [1, ids.length]
    const wide = new BigInt64Array(stableMemory(8 * ids.length))
    const halves = new Int32Array(wide.buffer)
    for (let i = 0; i < ids.length; i++) halves[2 * i] = ids[i]!
    this.#session.bindData('input_ids', 'int64', wide, dims)
    if (this.#plan.hasPositionIds) {
      const positions = new BigInt64Array(stableMemory(8 * ids.length))
      const low = new Int32Array(positions.buffer)
      for (let i = 0; i < ids.length; i++) low[2 * i] = position + i
      this.#session.bindData('position_ids', 'int64', positions, dims)
    }
    this.#stepBound = false
  }

  #bindMask(total: number): void {
    if (total > this.#mask.length) {
      const length = Math.min(2 ** Math.ceil(Math.log2(total)), Math.max(total, this.contextLength))
      this.#mask = new BigInt64Array(stableMemory(8 * length)).fill(1n)
    }
    this.#maskDims[1] = total
    this.#session.bindData('attention_mask', 'int64', this.#mask, this.#maskDims)
  }

  /** True when the run will give all rows, because the graph knows no other way. */
  #bindLogits(count: number): boolean {
    if (!this.#plan.hasNumLogitsToKeep && count > 1) {
      this.#session.bindOutput('logits')
      this.#rowBound = false
      return true
    }
    if (!this.#rowBound) {
      const tensor = this.#session.wrap(this.#plan.logitsType, [1, 1, this.vocabSize], this.#output)
      this.#session.bindOutput('logits', tensor)
      tensor.dispose()
      this.#rowBound = true
    }
    return false
  }

  #copyLastRow(count: number): void {
    const all = this.#session.takeOutput('logits')
    // A pruned head gives one row however many ids went in.
    const rows = all.dims.length === 3 ? all.dims[1]! : count
    const start = (rows - 1) * this.vocabSize
    this.#output.set(all.data.subarray(start, start + this.vocabSize) as Float32Array)
    all.dispose()
  }
}

/** Tokens of one run of a prompt: large enough for full speed, small enough for a prompt interrupt. */
const PREFILL_CHUNK = 512

const ONE_BY_ONE: readonly number[] = [1, 1]
