/**
 * Who waits and who is in a cache, in the order in which they came. Where memory is short the youngest gives way: first those
 * whose readers are slow, for nothing of them is run.
 */
import type { Admission } from './admission.ts'
import type { Entry } from './job.ts'
import type { Step } from './step.ts'

export interface TextsLimits {
  /** Texts that are written at once, those with a slow reader not counted. */
  readonly width: number
  /** Whether what a text held may be computed again. */
  readonly mayGiveWay: boolean
}

export class Texts {
  /** Those in a cache, in order. */
  readonly open: Entry[] = []
  /** The others, in order. */
  readonly #waiting: Entry[] = []
  readonly #admission: Admission
  readonly #limits: TextsLimits
  setBackCount = 0

  constructor(admission: Admission, limits: TextsLimits) {
    this.#admission = admission
    this.#limits = limits
  }

  get count(): number {
    return this.open.length + this.#waiting.length
  }

  all(): Entry[] {
    return [...this.#waiting, ...this.open]
  }

  add(entry: Entry): void {
    this.#waiting.push(entry)
  }

  remove(entry: Entry): void {
    remove(this.#waiting, entry)
    remove(this.open, entry)
  }

  /** Begins the one that waits longest; it has ended where that failed. `undefined`: it has to wait, or there is none. */
  begin(): Entry | undefined {
    const entry = this.#waiting.find(({ isParked }) => !isParked)
    if (entry === undefined || !this.#hasPlace()) return undefined
    while (this.open.length > 0 && !this.#admission.mayBegin(entry.tokens, this.open.length)) {
      if (this.#setBackParked() === undefined) return undefined
    }
    remove(this.#waiting, entry)
    try {
      entry.text = entry.job.open()
      entry.isOpen = true
      insert(this.open, entry)
    } catch (error) {
      entry.end({ error })
    }
    return entry
  }

  /** The youngest without a part in this step, of those with a slow reader if there is one; not the only one. */
  setBackYoungest(step: Step): Entry | undefined {
    const parked = this.#setBackParked()
    if (parked !== undefined) return parked
    const entry = this.open.findLast((each) => !step.entries.includes(each))
    if (entry === undefined || this.open.length === 1) return undefined
    return this.#setBack(entry)
  }

  #setBackParked(): Entry | undefined {
    const entry = this.open.findLast(({ isParked }) => isParked)
    return entry && this.#setBack(entry)
  }

  #setBack(entry: Entry): Entry | undefined {
    if (!this.#limits.mayGiveWay) return undefined
    entry.job.setBack()
    entry.isOpen = false
    remove(this.open, entry)
    insert(this.#waiting, entry)
    this.setBackCount++
    return entry
  }

  #hasPlace(): boolean {
    let parked = 0
    for (const { isParked } of this.open) if (isParked) parked++
    return this.open.length - parked < this.#limits.width && parked < MOST_PARKED
  }
}

/** Keeps the order in which they came. */
function insert(entries: Entry[], entry: Entry): void {
  const after = entries.findLastIndex(({ order }) => order < entry.order)
  entries.splice(after + 1, 0, entry)
}

function remove(entries: Entry[], entry: Entry): void {
  const at = entries.indexOf(entry)
  if (at >= 0) entries.splice(at, 1)
}

/** Texts that hold memory while their readers are slow. */
const MOST_PARKED = 32
