/**
 * A row of logits under a mask, as of a grammar. A short list of ids is gathered into a row of its own, so that a step
 * looks at no others; under a long one only those that it leaves out are closed. Either way an id is chosen, and a coin
 * spent, as if the logits of all others were -Infinity.
 */

/** Bit `id & 31` of word `id >> 5`, or ids in ascending order. */
export type AllowedIds = { readonly bits: Uint32Array } | { readonly ids: Int32Array }

export interface Mask {
  /** Which ids may be chosen next; `undefined`: any. */
  allowed(): AllowedIds | undefined
  /** Ids that no penalty for repetition meets: punctuation of a structure comes again and again. */
  isExempt?(id: number): boolean
}

export class MaskedRow {
  /** What is to be chosen from. */
  row: Float32Array = NO_ROW
  /** The id of each score; `undefined`: the row is as long as the vocabulary. */
  ids: Int32Array | undefined
  readonly #mask: Mask
  /** The row as it was before bans, where there are any. */
  readonly #before: Float32Array | undefined
  #gathered = new Float32Array(64)

  /** @param bans there are processors that may take away all that is allowed */
  constructor(mask: Mask, vocabSize: number, bans: boolean) {
    this.#mask = mask
    this.#before = bans ? new Float32Array(vocabSize) : undefined
  }

  /** To be called before bans. */
  keep(logits: Float32Array): void {
    this.#before?.set(logits)
  }

  /** Sets `row` and `ids`. @param logits is overwritten */
  close(logits: Float32Array): void {
    const allowed = this.#mask.allowed()
    this.row = logits
    this.ids = undefined
    if (allowed === undefined) return
    if ('ids' in allowed) this.#gather(logits, allowed.ids)
    else closeOthers(logits, allowed.bits)
  }

  /** Bans have left nothing of what is allowed: they count no more in this step. @returns whether there were any */
  reopen(): boolean {
    if (this.#before === undefined || this.#mask.allowed() === undefined) return false
    this.close(this.#before)
    return true
  }

  idOf(index: number): number {
    return this.ids === undefined ? index : this.ids[index]!
  }

  #gather(logits: Float32Array, ids: Int32Array): void {
    let count = ids.length
    // A tokenizer may know ids that the model has no logit for.
    while (count > 0 && ids[count - 1]! >= logits.length) count--
    if (count > this.#gathered.length) this.#gathered = new Float32Array(2 * count)
    const gathered = this.#gathered
    for (let i = 0; i < count; i++) gathered[i] = logits[ids[i]!]!
    this.row =
      this.row.length === count && this.row.buffer === gathered.buffer
        ? this.row
        : gathered.subarray(0, count)
    this.ids = ids
  }
}

const NO_ROW = new Float32Array(0)

function closeOthers(logits: Float32Array, bits: Uint32Array): void {
  const words = Math.min(bits.length, logits.length >> 5)
  for (let word = 0; word < words; word++) {
    const open = bits[word]!
    if (open === 0xffffffff) continue
    if (open === 0) {
      logits.fill(-Infinity, word << 5, (word + 1) << 5)
      continue
    }
    for (let closed = ~open; closed !== 0; closed &= closed - 1)
      logits[(word << 5) + 31 - Math.clz32(closed & -closed)] = -Infinity
  }
  for (let id = words << 5; id < logits.length; id++)
    if (((bits[id >> 5] ?? 0) & (1 << (id & 31))) === 0) logits[id] = -Infinity
}
