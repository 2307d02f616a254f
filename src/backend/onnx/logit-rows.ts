/** The rows of logits of a run: the memory that the session writes them to, and how many of them it makes. */
import { SpoutError } from '../../errors.ts'
import { NUM_LOGITS_TO_KEEP } from '../../graph-passes/keep-last-rows.ts'
import { float16ToFloat32 } from '../../onnx-file/float16.ts'
import type { Session, Tensor } from '../../onnx-runtime/runtime.ts'
import { stableMemory } from '../../system/stable-memory.ts'
import type { Rows } from '../backend.ts'
import type { FeedPlan } from './plan/feed-plan.ts'

/** Rows `at` and following, of one run of the session. */
export interface RowRange {
  readonly at: number
  /** 0: none is wanted, and one is made all the same, in row `at`. */
  readonly count: number
}

export class LogitRows implements Rows {
  count = 0
  /** The graph can give several rows and not all: what is wanted of a longer run has to be run one by one otherwise. */
  readonly givesSeveral: boolean
  readonly #session: Session
  readonly #plan: FeedPlan
  /** Where the rows are read, [rows, vocabSize]. */
  #rows = new Float32Array(0)
  /** Where the session writes them: there, or in half precision beside. */
  #output: Float32Array | Uint16Array = this.#rows
  #first = this.#rows
  /** Rows that the graph is asked for; bound once. */
  readonly #keep = new BigInt64Array(stableMemory(8))
  /** What is bound as output: so many rows from `#boundAt` on; 0: none. */
  #bound = 0
  #boundAt = 0
  /** Over the first rows, by their number: made once. */
  readonly #tensors = new Map<number, Tensor>()

  constructor(session: Session, plan: FeedPlan) {
    this.#session = session
    this.#plan = plan
    this.givesSeveral = plan.keepInput !== undefined && plan.logitsRank === 3 && !plan.isLastRow
    this.reserve(1)
    // All, where the graph is told which of them are wanted.
    this.#keep[0] = plan.ragged === undefined ? 1n : 0n
    if (plan.keepInput !== undefined) {
      session.bindData(NUM_LOGITS_TO_KEEP, 'int64', this.#keep, plan.keepInput)
    }
  }

  row(i: number): Float32Array {
    return i === 0
      ? this.#first
      : this.#rows.subarray(i * this.#plan.vocabSize, (i + 1) * this.#plan.vocabSize)
  }

  /** Makes room for so many rows; what they held is lost when there was less. */
  reserve(rows: number): void {
    const { vocabSize, logitsType } = this.#plan
    if (rows * vocabSize <= this.#rows.length) return
    this.#rows = new Float32Array(stableMemory(4 * rows * vocabSize))
    this.#output = logitsType === 'float16' ? new Uint16Array(stableMemory(2 * rows * vocabSize)) : this.#rows
    this.#first = this.#rows.subarray(0, vocabSize)
    this.#bound = 0
    for (const tensor of this.#tensors.values()) tensor.dispose()
    this.#tensors.clear()
  }

  /** Binds the output of a run of `ids` ids. */
  bind(ids: number, { at, count }: RowRange): void {
    if (this.#givesAll(ids)) {
      this.#session.bindOutput('logits')
      this.#bound = 0
      return
    }
    const rows = Math.max(1, count)
    if (rows === this.#bound && at === this.#boundAt) return
    const { vocabSize, logitsRank, logitsType } = this.#plan
    const dims = logitsRank === 3 ? [1, rows, vocabSize] : [1, vocabSize]
    const place = this.#output.subarray(at * vocabSize, (at + rows) * vocabSize)
    const tensor = this.#session.wrap(logitsType, dims, place)
    this.#session.bindOutput('logits', tensor)
    tensor.dispose()
    this.#keep[0] = BigInt(rows)
    this.#bound = rows
    this.#boundAt = at
  }

  /** Binds the output of a run that is told which rows are wanted: `count` of them, from the first one on. */
  bindWanted(count: number): void {
    this.count = count
    const rows = Math.max(1, count)
    // With room for more: how many texts there are changes from step to step.
    if (rows > 1) this.reserve(2 ** Math.ceil(Math.log2(rows)))
    if (rows === this.#bound) return
    this.#session.bindOutput('logits', this.#wantedTensor(rows))
    this.#bound = rows
  }

  /** Brings the rows of such a run to where they are read. */
  takeWanted(): void {
    if (!(this.#output instanceof Uint16Array)) return
    const end = this.count * this.#plan.vocabSize
    float16ToFloat32(this.#output.subarray(0, end), this.#rows.subarray(0, end))
  }

  #wantedTensor(rows: number): Tensor {
    let tensor = this.#tensors.get(rows)
    if (tensor === undefined) {
      const { vocabSize, logitsType } = this.#plan
      const place = this.#output.subarray(0, rows * vocabSize)
      tensor = this.#session.wrap(logitsType, [1, rows, vocabSize], place)
      this.#tensors.set(rows, tensor)
    }
    return tensor
  }

  /** Brings the rows of a run that is done to where they are read. */
  take(ids: number, { at, count }: RowRange): void {
    if (count === 0) return
    const { vocabSize } = this.#plan
    const [from, to] = [at * vocabSize, (at + count) * vocabSize]
    if (this.#givesAll(ids)) this.#copyLast(from, to)
    if (!(this.#output instanceof Uint16Array)) return
    float16ToFloat32(this.#output.subarray(from, to), this.#rows.subarray(from, to))
  }

  /** The graph knows no other way. */
  #givesAll(ids: number): boolean {
    return this.#plan.keepInput === undefined && !this.#plan.isLastRow && ids > 1
  }

  #copyLast(from: number, to: number): void {
    const all = this.#session.takeOutput('logits')
    // A pruned head gives one row however many ids went in.
    const start = all.data.length - (to - from)
    if (start < 0) throw new SpoutError('internal', 'runner: the graph gave fewer rows than were wanted')
    this.#output.set(all.data.subarray(start) as Float32Array, from)
    all.dispose()
  }
}
