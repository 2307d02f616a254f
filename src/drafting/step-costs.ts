/**
 * What a step of so many rows costs, in milliseconds: a running estimate of what was measured. A step of one row waits for
 * memory, so that a second row costs little; how little differs by model and machine, and has steps at kernels' tiles.
 */
export class StepCosts {
  /** Texts that have a row in the step that is planned, whatever one of them guesses. */
  texts = 1
  /** By rows; 0: not measured yet. */
  readonly #ms = new Float64Array(MOST + 1)

  planned(texts: number): void {
    this.texts = texts
  }

  /** A run of so many rows, none of a prompt, took so long. */
  ran(rows: number, ms: number): void {
    if (rows < 1 || rows > MOST) return
    const before = this.#ms[rows]!
    this.#ms[rows] = before === 0 ? ms : before + (Math.min(ms, before * OUTLIER) - before) * WEIGHT
  }

  /** Of a step of one row, in milliseconds; 0: not measured yet. */
  get oneMs(): number {
    return this.#ms[1]!
  }

  /** In steps of one row; never less than for fewer rows. */
  of(rows: number): number {
    const one = this.#ms[1]!
    if (one === 0) return 1 + ROW * (rows - 1)
    let cost = 1
    for (let k = 2; k <= rows; k++) {
      const measured = k <= MOST ? this.#ms[k]! / one : 0
      cost = measured === 0 ? cost + ROW : Math.max(cost, measured)
    }
    return cost
  }
}

const MOST = 64
/** Of a row that was never measured: what one of a prompt costs on the slowest of our kernels. */
const ROW = 0.13
const WEIGHT = 1 / 8
/** A pause of the machine is no cost of the model's. */
const OUTLIER = 3
