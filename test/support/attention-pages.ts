/** Pages of keys and values for runs of one attention: in no order, and full of what is no number until they are written. */
import { SEGMENT } from '../../src/kernels/attention/attention-shape.ts'

export interface PagesOptions {
  readonly kvHeads: number
  readonly headDim: number
  /** Pages there are; as many as are asked for unless told otherwise. */
  readonly most?: number
}

/** A part of a run: `count` further rows of a sequence. */
export interface RunPart {
  readonly sequence: number
  readonly count: number
}

export class AttentionPages {
  readonly pageBytes: number
  readonly bytes: Uint8Array
  readonly dims: readonly [number, number]
  /** Those of each sequence. */
  readonly #pages = new Map<number, number[]>()
  readonly #free: number[]
  readonly #lengths = new Map<number, number>()

  constructor({ kvHeads, headDim, most = 40 }: PagesOptions) {
    this.pageBytes = 2 * kvHeads * SEGMENT * headDim * 4
    this.bytes = new Uint8Array(most * this.pageBytes)
    new Float32Array(this.bytes.buffer).fill(Number.NaN)
    this.dims = [most, this.pageBytes]
    // Neighbours in the table are none in memory: the even ones, then the odd ones.
    this.#free = Array.from({ length: most }, (_, i) => i).sort((a, b) => (a % 2) - (b % 2) || a - b)
  }

  /** Tokens of a sequence so far. */
  lengthOf(sequence: number): number {
    return this.#lengths.get(sequence) ?? 0
  }

  /** The two tables of a run, which makes the sequences so much longer. */
  append(parts: readonly RunPart[]): { readonly parts: Int32Array; readonly pages: Int32Array } {
    const tables = parts.map(({ sequence, count }) => {
      const past = this.lengthOf(sequence)
      const pages = this.#pages.get(sequence) ?? []
      this.#pages.set(sequence, pages)
      this.#lengths.set(sequence, past + count)
      while (pages.length * SEGMENT < past + count) pages.push(this.#free.pop() ?? -1)
      return { row: [count, past], pages: pages.slice(0, Math.ceil((past + count) / SEGMENT)) }
    })
    return {
      parts: Int32Array.from(tables.flatMap(({ row }) => row)),
      pages: Int32Array.from(tables.flatMap(({ pages }) => pages)),
    }
  }
}
