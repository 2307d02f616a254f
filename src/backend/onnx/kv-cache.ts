/**
 * What a model remembers of one text: its states, in groups that are handled alike, and the ids they were made from.
 * States that cannot be rewound (windows, recurrences) are rebuilt by running the stored ids again.
 */

import type { Session } from '../../onnx-runtime/runtime.ts'
import type { KvSequence, Page } from '../kv.ts'
import type { FeedPlan } from './plan/feed-plan.ts'
import type { FixedSlot, RowsSlot, WindowSlot } from './plan/state-slots.ts'
import { HandedOverRows } from './states/handed-over-rows.ts'
import { type CacheLimits, InPlaceRows } from './states/in-place-rows.ts'
import { PagedRows, type Paging } from './states/paged-rows.ts'
import type { StateGroup } from './states/state-group.ts'
import { SwappedStates } from './states/swapped-states.ts'
import { WindowBuffers } from './states/window-buffers.ts'

/** The cache whose states a session's binding shows, so that a decode step binds nothing. */
export interface BindingOwner {
  current: OnnxKvCache | undefined
}

interface CacheOptions {
  readonly limits: CacheLimits
  readonly owner: BindingOwner
  /** Where attention is ours. */
  readonly paging?: Paging | undefined
  /** What the text begins with: run with the first ids that are appended. */
  readonly ids?: Int32Array | undefined
}

export class OnnxKvCache implements KvSequence {
  readonly canTrim: boolean
  readonly #groups: readonly StateGroup[]
  readonly #owner: BindingOwner
  readonly #plan: FeedPlan
  readonly #session: Session
  readonly #options: CacheOptions
  /** The ids of the text; those before `#held` are in the states. */
  #ids = new Int32Array(0)
  #held = 0
  #length = 0
  /** Tokens held when `mark` was called; 0 for none. */
  #marked = 0
  /** True from `bind` to `commit`: a run that failed may have spoilt states that are written in place. */
  #running = false
  /** True when the states were made with the rope table of long texts. */
  #long = false

  constructor(session: Session, plan: FeedPlan, options: CacheOptions) {
    const { owner, ids } = options
    this.#groups = groupsFor(session, plan, options)
    this.#session = session
    this.#options = options
    this.#owner = owner
    this.#plan = plan
    if (ids !== undefined) {
      this.#ids = ids.slice()
      this.#length = ids.length
    }
    this.canTrim = this.#groups.length > 0 && this.#groups.every((group) => group.canTrim)
  }

  get length(): number {
    return this.#length
  }

  get ids(): Int32Array {
    return this.#ids.subarray(0, this.#length)
  }

  get pages(): readonly Page[] {
    return NO_PAGES
  }

  fork(): OnnxKvCache {
    return new OnnxKvCache(this.#session, this.#plan, { ...this.#options, ids: this.ids })
  }

  /** Tokens that the states hold: more than `length` after a trim, fewer when they have to be run again. */
  get held(): number {
    return this.#held
  }

  trim(length: number): void {
    this.#length = Math.min(this.#length, Math.max(0, length))
  }

  mark(): void {
    if (this.canTrim || this.#held !== this.#length || this.#running) return
    this.#marked = this.#held
    if (this.#held > 0) for (const group of this.#groups) group.mark()
  }

  /** What has to be run to append `ids`: these, after those the states have lost. Mostly `ids` itself. */
  prepare(ids: Int32Array): Int32Array {
    const long = this.#length + ids.length > this.#plan.ropeSwitch
    if (this.#held > this.#length || this.#running || long !== this.#long) this.#rewind(long)
    if (ids.length > 1 && this.#plan.chunking === 'one-by-one' && this.#startsAnew(ids.length)) this.#clear()
    if (this.#held === this.#length) return ids
    const all = new Int32Array(this.#length - this.#held + ids.length)
    all.set(this.#ids.subarray(this.#held, this.#length))
    all.set(ids, this.#length - this.#held)
    return all
  }

  /** Binds past and present for a run that appends `count` tokens. */
  bind(count: number): void {
    const rebind = this.#owner.current !== this
    for (let i = 0; i < this.#groups.length; i++) this.#groups[i]!.bind(this.#held, count, rebind)
    this.#owner.current = this
    this.#running = true
  }

  /** A run succeeded: the states hold `ids` as well. */
  commit(ids: Int32Array): void {
    const held = this.#held + ids.length
    for (let i = 0; i < this.#groups.length; i++) this.#groups[i]!.commit(held)
    if (held > this.#ids.length) this.#growIds(held)
    if (ids.length === 1) this.#ids[held - 1] = ids[0]!
    else this.#ids.set(ids, this.#held)
    this.#held = held
    this.#running = false
    // A graph without states remembers nothing.
    if (this.#groups.length === 0) this.#held = 0
  }

  /** Every run that was needed succeeded. Until then the text is as long as before. */
  extendTo(length: number): void {
    this.#length = length
  }

  dispose(): void {
    for (const group of this.#groups) group.dispose()
    this.#held = 0
    this.#length = 0
    this.#marked = 0
    this.#running = false
    if (this.#owner.current === this) this.#owner.current = undefined
  }

  /** Back to what the states still have of the text, as cheaply as they can. */
  #rewind(long: boolean): void {
    const otherTable = long !== this.#long
    this.#long = long
    if (!otherTable && this.canTrim) this.#held = Math.min(this.#held, this.#length)
    else if (!otherTable && this.#marked > 0 && this.#marked <= this.#length) this.#restore()
    else this.#clear()
    this.#running = false
  }

  #restore(): void {
    for (const group of this.#groups) group.restore()
    this.#held = this.#marked
  }

  #clear(): void {
    for (const group of this.#groups) group.clear()
    this.#held = 0
    this.#marked = 0
  }

  /** One run over the whole text costs less than a run for each new id, once these are many. */
  #startsAnew(count: number): boolean {
    return this.#held > 0 && count * TOKENS_PER_STEP > this.#length + count
  }

  #growIds(needed: number): void {
    const larger = new Int32Array(Math.max(needed, 2 * this.#ids.length, 256))
    larger.set(this.#ids)
    this.#ids = larger
  }
}

const NO_PAGES: readonly Page[] = []

/** A prompt goes in several times faster than as many single steps; a cautious number for it. */
const TOKENS_PER_STEP = 4

function groupsFor(session: Session, { slots }: FeedPlan, { limits, paging }: CacheOptions): StateGroup[] {
  const rows = slots.filter((slot): slot is RowsSlot => slot.kind === 'rows')
  const inPlace = rows.filter((slot) => slot.inPlace && session.writesInPlace)
  const handedOver = rows.filter((slot) => !inPlace.includes(slot))
  const windows = slots.filter((slot): slot is WindowSlot => slot.kind === 'window')
  const fixed = slots.filter((slot): slot is FixedSlot => slot.kind === 'fixed')
  return [
    ...(paging === undefined ? [] : [new PagedRows(paging)]),
    ...(inPlace.length > 0 ? [new InPlaceRows(session, inPlace, limits)] : []),
    ...(handedOver.length > 0 ? [new HandedOverRows(session, handedOver)] : []),
    ...(windows.length > 0 ? [new WindowBuffers(session, windows)] : []),
    ...(fixed.length > 0 ? [new SwappedStates(session, fixed)] : []),
  ]
}
