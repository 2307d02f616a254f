/** A second, smaller model of the same vocabulary, whose choices are guesses for the first (Leviathan et al., 2022). */
import type { Runner } from '../backend/backend.ts'
import type { KvSequence } from '../backend/kv.ts'

/** Its runs wait for each other: a text that has ended may leave one behind. */
export class DraftModel {
  readonly #runner: Runner
  readonly #chunk: number
  /** Ids from here on are not in both vocabularies. */
  readonly #vocabSize: number
  #last: Promise<unknown> = Promise.resolve()
  /** Milliseconds of a step of one id: a running estimate. 0: not known yet. */
  stepMs = 0

  /** @param chunk ids of a run of a prompt, at most */
  constructor(runner: Runner, { chunk, vocabSize }: { readonly chunk: number; readonly vocabSize: number }) {
    this.#runner = runner
    this.#chunk = chunk
    this.#vocabSize = Math.min(vocabSize, runner.facts.vocabSize)
  }

  /** The model has this id as well. */
  has(id: number): boolean {
    return id < this.#vocabSize
  }

  get contextLength(): number {
    return this.#runner.facts.contextLength
  }

  open(): KvSequence {
    return this.#runner.pool.open()
  }

  /**
   * Appends `ids` to what `sequence` holds. @returns the likeliest id behind them; `undefined` once `isOver`
   * @throws as a run does
   */
  read(sequence: KvSequence, ids: Int32Array, isOver: () => boolean): Promise<number | undefined> {
    const reading = this.#last.then(() => this.#read(sequence, ids, isOver))
    this.#last = reading.catch(() => undefined)
    return reading
  }

  /** Once nothing runs. */
  dispose(): Promise<void> {
    return this.#last.then(() => this.#runner.dispose())
  }

  async #read(sequence: KvSequence, ids: Int32Array, isOver: () => boolean): Promise<number | undefined> {
    for (let from = 0; from < ids.length; from += this.#chunk) {
      if (isOver()) return undefined
      const part = ids.subarray(from, from + this.#chunk)
      const isLast = from + part.length === ids.length
      const startedAt = performance.now()
      const rows = await this.#runner.run([{ sequence, ids: part, wanted: isLast ? 1 : 0 }])
      if (ids.length === 1) this.#took(performance.now() - startedAt)
      if (isLast) return likeliest(rows.row(0).subarray(0, this.#vocabSize))
    }
    return undefined
  }

  #took(ms: number): void {
    this.stepMs = this.stepMs === 0 ? ms : this.stepMs + (Math.min(ms, 3 * this.stepMs) - this.stepMs) / 8
  }
}

function likeliest(row: Float32Array): number {
  let best = 0
  for (let id = 1; id < row.length; id++) if (row[id]! > row[best]!) best = id
  return best
}
