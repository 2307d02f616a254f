/**
 * The inputs that follow from the ids and their place in the text: `input_ids` or embeddings, `position_ids`,
 * `attention_mask`, `use_cache_branch`. The buffers of a decode step are made once and stay bound.
 */

import { LENGTH, LENGTH_LESS_ONE } from '../../graph-passes/length-inputs.ts'
import type { Session } from '../../onnx-runtime/runtime.ts'
import { stableMemory } from '../../system/stable-memory.ts'
import type { Embedder } from './embedder.ts'
import type { FeedPlan } from './plan/feed-plan.ts'

export class Feeds {
  readonly #session: Session
  readonly #plan: FeedPlan
  readonly #embedder: Embedder | undefined
  /** The session that takes the ids: the decoder itself, or the one that embeds for it. */
  readonly #idSession: Session
  // Inputs of a decode step. An id is below 2^31: its low half is written, the high half stays 0.
  readonly #id = new Int32Array(stableMemory(8))
  readonly #position: Int32Array
  readonly #branch = new Uint8Array(stableMemory(1))
  readonly #maskDims = [1, 0]
  /** The length of the text, less one and whole. */
  readonly #lengths = [new Int32Array(stableMemory(4)), new Int32Array(stableMemory(4))] as const
  #mask = new BigInt64Array(stableMemory(8 * 1024)).fill(1n)
  /** True while `#id` and `#position` are bound, as they are from one decode step to the next. */
  #stepBound = false

  constructor(session: Session, plan: FeedPlan, embedder?: Embedder) {
    this.#session = session
    this.#plan = plan
    this.#embedder = embedder
    this.#idSession = embedder?.session ?? session
    this.#position = new Int32Array(stableMemory(8 * Math.max(1, plan.positionRows)))
    if (plan.hasLengths) {
      session.bindData(LENGTH_LESS_ONE, 'int32', this.#lengths[0], [1])
      session.bindData(LENGTH, 'int32', this.#lengths[1], [1])
    }
    if (plan.hasCacheBranch) session.bindData('use_cache_branch', 'bool', this.#branch, [1])
  }

  /** Binds a run of `ids` after `held` tokens. */
  bind(ids: Int32Array, held: number): void {
    if (ids.length === 1) this.#bindStep(ids[0]!, held)
    else this.#bindIds(ids, held)
    const total = held + ids.length
    if (this.#plan.hasAttentionMask) this.#bindMask(total)
    this.#lengths[0][0] = total - 1
    this.#lengths[1][0] = total
    this.#branch[0] = held === 0 ? 0 : 1
    this.#embedder?.bind(ids.length)
  }

  #bindStep(id: number, position: number): void {
    this.#id[0] = id
    for (let row = 0; row < this.#plan.positionRows; row++) this.#position[2 * row] = position
    if (this.#stepBound) return
    this.#idSession.bindData('input_ids', 'int64', new BigInt64Array(this.#id.buffer), [1, 1])
    if (this.#plan.positionRows > 0) this.#bindPositions(new BigInt64Array(this.#position.buffer), 1)
    this.#stepBound = true
  }

  #bindIds(ids: Int32Array, held: number): void {
    const count = ids.length
    const wide = new BigInt64Array(stableMemory(8 * count))
    const halves = new Int32Array(wide.buffer)
    for (let i = 0; i < count; i++) halves[2 * i] = ids[i]!
    this.#idSession.bindData('input_ids', 'int64', wide, [1, count])
    const rows = this.#plan.positionRows
    if (rows > 0) {
      const positions = new BigInt64Array(stableMemory(8 * count * rows))
      const low = new Int32Array(positions.buffer)
      for (let i = 0; i < count * rows; i++) low[2 * i] = held + (i % count)
      this.#bindPositions(positions, count)
    }
    this.#stepBound = false
  }

  #bindPositions(positions: BigInt64Array, count: number): void {
    const dims = this.#plan.positionRows === 3 ? [3, 1, count] : [1, count]
    this.#session.bindData('position_ids', 'int64', positions, dims)
  }

  #bindMask(total: number): void {
    if (total > this.#mask.length) {
      this.#mask = new BigInt64Array(stableMemory(8 * 2 ** Math.ceil(Math.log2(total)))).fill(1n)
    }
    this.#maskDims[1] = total
    this.#session.bindData('attention_mask', 'int64', this.#mask, this.#maskDims)
  }
}
