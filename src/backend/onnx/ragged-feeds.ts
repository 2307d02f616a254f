/**
 * The inputs of a run with rows of several sequences: ids, positions, whose rows are whose, and which logits are wanted. A run of
 * the sizes of the one before binds nothing anew.
 */
import { WANTED } from '../../graph-passes/keep-last-rows.ts'
import type { Session } from '../../onnx-runtime/runtime.ts'
import { stableMemory } from '../../system/stable-memory.ts'
import type { Part } from '../backend.ts'
import type { Embedder } from './embedder.ts'
import type { PagePool } from './pages/page-pool.ts'
import { PageTables } from './pages/page-tables.ts'
import type { PagedSequence } from './pages/paged-sequence.ts'
import type { FeedPlan } from './plan/feed-plan.ts'

interface RaggedParts {
  readonly session: Session
  readonly plan: FeedPlan
  readonly pages: PagePool
  readonly embedder?: Embedder | undefined
}

export class RaggedFeeds {
  readonly #plan: FeedPlan
  readonly #embedder: Embedder | undefined
  readonly #tables: PageTables
  readonly #ids: IntegerRow
  readonly #positions: IntegerRow
  readonly #wanted: IntegerRow

  constructor({ session, plan, pages, embedder }: RaggedParts) {
    this.#plan = plan
    this.#embedder = embedder
    this.#tables = new PageTables(session, pages)
    this.#ids = new IntegerRow(embedder?.session ?? session, 'input_ids', [1, 0])
    this.#positions = new IntegerRow(session, 'position_ids', [1, 0])
    this.#wanted = new IntegerRow(session, WANTED, [0])
  }

  /** Binds a run of these parts, whose sequences have room for their rows. */
  bind(batch: readonly Part[]): void {
    const hasPositions = this.#plan.positionRows > 0
    this.#clear()
    for (let p = 0; p < batch.length; p++) {
      const { ids, wanted } = batch[p]!
      const sequence = batch[p]!.sequence as PagedSequence
      this.#tables.add(ids.length, sequence.held, sequence.allPages)
      for (let i = 0; i < ids.length; i++) this.#ids.push(ids[i]!)
      if (hasPositions) for (let i = 0; i < ids.length; i++) this.#positions.push(sequence.held + i)
      for (let i = wanted; i > 0; i--) this.#wanted.push(this.#ids.count - i)
    }
    // The head cannot be left out: one row is made in vain.
    if (this.#wanted.count === 0) this.#wanted.push(this.#ids.count - 1)
    this.#tables.bind()
    this.#ids.bind()
    if (hasPositions) this.#positions.bind()
    this.#wanted.bind()
    this.#embedder?.bind(this.#ids.count)
  }

  #clear(): void {
    this.#tables.clear()
    this.#ids.count = 0
    this.#positions.count = 0
    this.#wanted.count = 0
  }
}

const FIRST_ROOM = 128

/** An input of int64 numbers below 2^31: their low halves are written, the high ones stay 0. */
class IntegerRow {
  count = 0
  readonly #session: Session
  readonly #name: string
  /** The last is how many there are. */
  readonly #dims: number[]
  #halves = new Int32Array(0)
  #bound = -1

  constructor(session: Session, name: string, dims: readonly number[]) {
    this.#session = session
    this.#name = name
    this.#dims = [...dims]
  }

  push(number: number): void {
    if (2 * this.count === this.#halves.length) this.#grow()
    this.#halves[2 * this.count++] = number
  }

  bind(): void {
    if (this.#bound === this.count) return
    this.#bound = this.#dims[this.#dims.length - 1] = this.count
    this.#session.bindData(this.#name, 'int64', new BigInt64Array(this.#halves.buffer), this.#dims)
  }

  #grow(): void {
    const larger = new Int32Array(stableMemory(8 * Math.max(FIRST_ROOM, 2 * this.count)))
    larger.set(this.#halves)
    this.#halves = larger
    this.#bound = -1
  }
}
