import type { ComparisonSpec } from '../arm.ts'
import type { BenchRun } from '../bench-run.ts'

/** Whether two arms wrote the same. */
export type IdsAgreement =
  | { readonly how: 'same' }
  /** `at` counts tokens from 1. */
  | { readonly how: 'differ'; readonly at: number }
  /** An arm did not write the same every time. */
  | { readonly how: 'vary'; readonly arm: string }
  | { readonly how: 'unknown' }

export function compareIds({ samples, ids }: BenchRun, { arm, beside }: ComparisonSpec): IdsAgreement {
  const varying = [arm, beside].find(
    ({ name }) =>
      new Set(samples.filter((sample) => sample.arm === name).map(({ idsHash }) => idsHash)).size > 1,
  )
  if (varying !== undefined) return { how: 'vary', arm: varying.name }
  const [ours, theirs] = [ids.get(arm.name), ids.get(beside.name)]
  if (ours === undefined || theirs === undefined) return { how: 'unknown' }
  const at = firstDifference(ours, theirs)
  return at < 0 ? { how: 'same' } : { how: 'differ', at: at + 1 }
}

/** Index of the first difference, or -1. */
function firstDifference(a: readonly number[], b: readonly number[]): number {
  const length = Math.max(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i
  return -1
}
