/**
 * A structure for the answer of a model that thinks first. Reasoning is free; after its end marker, and a line break where the
 * model likes one, the structure begins. A model whose prompt has not opened the block may open it, or answer at once.
 */
import type { Allowed, Constraint } from '../grammar/constraint.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { ThinkMarkers } from './think-markers.ts'
import { ThinkSplitter } from './think-splitter.ts'
import { TokenOutputStream } from './token-output-stream.ts'

interface ThinkConstraintParts {
  /** Borrowed. */
  readonly tokenizer: Tokenizer
  readonly markers: readonly ThinkMarkers[]
  /** Special ids that are markers, or parts of one. */
  readonly keep: ReadonlySet<number>
  /** Tokens that are line breaks, in ascending order: one of them may follow the end marker. */
  readonly lineBreaks: readonly number[]
  /** The prompt already opened this block. */
  readonly opened?: ThinkMarkers | undefined
  /** Reasoning ends in time for the structure. Default false. */
  readonly closes?: boolean
}

export class ThinkConstraint implements Constraint {
  readonly #inner: Constraint
  readonly #splitter: ThinkSplitter
  readonly #stream: TokenOutputStream
  readonly #markers: readonly ThinkMarkers[]
  /** Ids that open a block. */
  readonly #openers: readonly number[]
  readonly #lineBreaks: readonly number[]
  #state: 'start' | 'reasoning' | 'break' | 'structure'
  /** Of the block under way. */
  #block: ThinkMarkers | undefined
  #allowed: Allowed | undefined
  readonly #tokenizer: Tokenizer
  readonly #closes: boolean
  #left = Number.POSITIVE_INFINITY
  /** The end marker of the block as ids, where it must come, and how many of them have. */
  #marker: Int32Array | undefined
  #ended = 0
  #wasClosed = false

  constructor(
    inner: Constraint,
    { tokenizer, markers, keep, lineBreaks, opened, closes = false }: ThinkConstraintParts,
  ) {
    this.#inner = inner
    this.#tokenizer = tokenizer
    this.#closes = closes
    this.#markers = markers
    this.#splitter = new ThinkSplitter({ markers, opened })
    this.#stream = new TokenOutputStream(tokenizer, { keep })
    this.#block = opened
    this.#openers = idsOf(
      markers.filter(isReasoning).map(({ open }) => open),
      tokenizer,
    )
    this.#lineBreaks = lineBreaks
    this.#state = opened !== undefined ? 'reasoning' : this.#openers.length > 0 ? 'start' : 'structure'
  }

  get isComplete(): boolean {
    return this.#isInAnswer && this.#inner.isComplete
  }

  get mustEnd(): boolean {
    return this.#isInAnswer && this.#inner.mustEnd
  }

  get wasClosed(): boolean {
    return this.#wasClosed || this.#inner.wasClosed === true
  }

  /** Within reasoning: what the structure needs; the end marker comes before it. */
  get needed(): number {
    return this.#inner.needed ?? Number.POSITIVE_INFINITY
  }

  set left(left: number) {
    this.#left = left
    this.#inner.left = left
  }

  allowed(): Allowed | undefined {
    if (this.#state === 'reasoning') return this.#endOfReasoning()
    if (this.#state === 'structure') return this.#inner.allowed()
    const more = this.#state === 'start' ? this.#openers : this.#lineBreaks
    this.#allowed ??= withIds(this.#inner.allowed(), more)
    return this.#allowed
  }

  /** Where the structure would not fit any more after another thought: the end marker, id by id. */
  #endOfReasoning(): Allowed | undefined {
    if (!this.#closes || this.#block === undefined) return undefined
    const { close } = this.#block
    this.#marker ??= this.#tokenizer.encode(close, { addSpecialTokens: false, allowSpecial: true })
    const rest = this.#marker.length - this.#ended
    if (rest === 0 || (this.#ended === 0 && this.#left > this.needed + rest + 1)) return undefined
    this.#wasClosed = true
    return { ids: this.#marker.subarray(this.#ended, this.#ended + 1) }
  }

  accept(id: number): void {
    this.#allowed = undefined
    if (this.#state === 'start' && this.#openers.includes(id)) this.#state = 'reasoning'
    if (this.#state === 'reasoning') {
      if (this.#wasClosed) this.#ended++
      this.#think(id)
      return
    }
    const isBreak = this.#state === 'break' && this.#lineBreaks.includes(id)
    this.#state = 'structure'
    if (!isBreak) this.#inner.accept(id)
  }

  propose(into: Int32Array, most: number): number {
    return this.#state === 'structure' ? this.#inner.propose(into, most) : 0
  }

  isExempt(id: number): boolean {
    return this.#inner.isExempt?.(id) === true
  }

  get #isInAnswer(): boolean {
    return this.#state !== 'reasoning'
  }

  #think(id: number): void {
    this.#splitter.push(this.#stream.push(id))
    const { block } = this.#splitter
    const ended = this.#block
    this.#block = block ?? this.#block
    if (block !== undefined && !isReasoning(block)) this.#state = 'break'
    else if (block === undefined && ended !== undefined && !this.#hasAnswerBlock(ended)) this.#state = 'break'
  }

  /** The family that a marker is of marks the answer as well: it is still to come. */
  #hasAnswerBlock({ open, sign }: ThinkMarkers): boolean {
    return this.#markers.some(
      (other) => !isReasoning(other) && other.sign === sign && other.open.slice(0, 8) === open.slice(0, 8),
    )
  }
}

function isReasoning({ channel }: ThinkMarkers): boolean {
  return channel !== 'answer'
}

function idsOf(texts: readonly string[], { tokenToId }: Tokenizer): number[] {
  return texts.flatMap((text) => tokenToId(text) ?? []).sort((a, b) => a - b)
}

function withIds(allowed: Allowed | undefined, more: readonly number[]): Allowed | undefined {
  if (allowed === undefined || more.length === 0) return allowed
  if ('ids' in allowed) return { ids: Int32Array.from(new Set([...allowed.ids, ...more])).sort() }
  const bits = allowed.bits.slice()
  for (const id of more) bits[id >> 5]! |= 1 << (id & 31)
  return { bits }
}
