import * as fp32 from './fp32.ts'

/** Sums over many numbers stand in so many lanes, which are folded at the end. */
export const LANES = 16

/** The sum of the lanes: i and i + 8 are added, then + 4, + 2, + 1. */
export function foldLanes(lanes: Float32Array): number {
  const sums = lanes.slice()
  for (let apart = LANES / 2; apart >= 1; apart /= 2) {
    for (let i = 0; i < apart; i++) sums[i] = fp32.add(sums[i]!, sums[i + apart]!)
  }
  return sums[0]!
}
