/**
 * How many rows of prompts a step may have beside texts that are decoded, so that these do not wait longer than a set time. What
 * a row takes is measured on the way; it differs from model to model by a factor of a hundred.
 */
import type { Part } from '../backend/backend.ts'

/** A prompt goes on, however slow the model is. */
const LEAST_ROWS = 16
/** Before anything was measured. */
const FIRST_ROWS = 32
/** How much a new measurement counts. */
const SHARE = 0.25

export class PromptBudget {
  readonly #stepMs: number
  /** What a row takes in a step that has some of a prompt; 0: not known. */
  #rowMs = 0

  /** @param stepMs most that a step should take */
  constructor(stepMs: number) {
    this.#stepMs = stepMs
  }

  get rows(): number {
    if (this.#stepMs === Number.POSITIVE_INFINITY) return this.#stepMs
    if (this.#rowMs === 0) return FIRST_ROWS
    return Math.max(LEAST_ROWS, Math.floor(this.#stepMs / this.#rowMs))
  }

  /** A step took so long. */
  ran(parts: readonly Part[], ms: number): void {
    let [rows, isOfPrompt] = [0, false]
    for (const { ids, wanted } of parts) {
      rows += ids.length
      isOfPrompt ||= wanted < ids.length
    }
    if (!isOfPrompt) return
    const each = ms / rows
    this.#rowMs = this.#rowMs === 0 ? each : this.#rowMs + SHARE * (each - this.#rowMs)
  }
}
