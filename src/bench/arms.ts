import type { ArmSpec, ComparisonSpec } from './arm.ts'

/** Every arm once, in the order of the comparisons. */
export function armsOf(comparisons: readonly ComparisonSpec[]): ArmSpec[] {
  const arms = comparisons.flatMap(({ arm, beside }) => [beside, arm])
  return [...new Map(arms.map((arm) => [arm.name, arm])).values()]
}
