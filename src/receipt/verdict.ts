/** Whether a second run gave what a receipt tells of. */
import { compareReceipts, type Difference } from './compare-receipts.ts'
import { brokenSeals, type Receipt } from './receipt.ts'

export interface Verdict {
  /** The same ids, the same text, the same end, and a receipt that is as it was written. */
  readonly isEqual: boolean
  readonly tokens: number
  readonly firstDifference: TokenDifference | undefined
  /** Parts of the receipt that were changed after it was written. */
  readonly changed: readonly string[]
  /** What may be why. */
  readonly causes: readonly Difference[]
  /** What is different and cannot change an id. */
  readonly harmless: readonly Difference[]
  /** Nothing of a processor is left in a bit: own kernels, then and now. */
  readonly isExact: boolean
}

/** An absent id: the answer had ended. */
export interface TokenDifference {
  /** From 1, as people count. */
  readonly token: number
  readonly was: number | undefined
  readonly is: number | undefined
  /** The text of the one that came now. */
  readonly piece: string
}

/** @param pieces the texts of the tokens that came now */
export function verdictOf(then: Receipt, now: Receipt, pieces: readonly string[]): Verdict {
  const [before, after] = [then.answer, now.answer]
  const firstDifference = findDifference(before.token_ids, after.token_ids, pieces)
  const changed = brokenSeals(then)
  const isSame =
    firstDifference === undefined &&
    before.text_sha256 === after.text_sha256 &&
    before.finish_reason === after.finish_reason
  const differences = compareReceipts(then, now)
  return {
    isEqual: isSame && changed.length === 0,
    tokens: before.token_ids.length,
    firstDifference,
    changed,
    causes: differences.filter(({ matters }) => matters),
    harmless: differences.filter(({ matters }) => !matters),
    isExact: [then, now].every(
      ({ made_by: { matmul, attention } }) => matmul === 'own' && attention === 'own',
    ),
  }
}

function findDifference(
  then: readonly number[],
  now: readonly number[],
  pieces: readonly string[],
): TokenDifference | undefined {
  for (let i = 0; i < Math.max(then.length, now.length); i++) {
    if (then[i] !== now[i]) return { token: i + 1, was: then[i], is: now[i], piece: pieces[i] ?? '' }
  }
  return undefined
}
