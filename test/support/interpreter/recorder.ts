/** Steps and data in the order in which they were written, at addresses as code has them. */
import type { Label } from '../../../src/kernels/x64/code-buffer.ts'
import type { Memory, Region } from './memory.ts'

export type Step = () => void

/** Addresses that a step takes: as good as any. */
const STEP_BYTES = 4
const MOST_BYTES = 1 << 20

export class Recorder {
  /** Data that was written between steps; where a step is it holds nothing. */
  readonly code: Region
  readonly #steps: (Step | undefined)[] = []

  constructor(memory: Memory) {
    this.code = memory.region('code', new Uint8Array(MOST_BYTES), { isWritable: false })
  }

  get length(): number {
    return this.#steps.length * STEP_BYTES
  }

  step(step: Step): void {
    this.#steps.push(step)
  }

  /** @throws Error where data or nothing is. */
  protected stepAt(index: number): Step {
    const step = this.#steps[index]
    if (step === undefined) throw new Error(`runs into what is no code at ${this.offsetOf(index)}`)
    return step
  }

  protected indexAt(offset: number): number {
    return offset / STEP_BYTES
  }

  protected offsetOf(index: number): number {
    return index * STEP_BYTES
  }

  int32(value: number): void {
    this.code.view.setInt32(this.length, value, true)
    this.#steps.push(undefined)
  }

  align(bytes: number): void {
    while (this.length % bytes !== 0) this.#steps.push(undefined)
  }

  label(): Label {
    return { position: undefined, waiting: [] }
  }

  bind(label: Label): void {
    if (label.position !== undefined) throw new Error('a label is bound twice')
    label.position = this.length
  }

  finish(): Uint8Array {
    return new Uint8Array(0)
  }
}
