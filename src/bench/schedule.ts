/**
 * In which order samples are taken. A block measures every comparison twice: in a shuffled order with what it is beside
 * first, and then in the reverse of it, the arm first. So every comparison is an ABBA, both halves of a pair are neighbours
 * in time, and a machine that grows slower does so for both.
 */
import { Generator } from '../sampling/rng.ts'

/** One sample: of comparison `of`, the arm or what it is beside. */
export interface Turn {
  readonly of: number
  readonly side: 'arm' | 'beside'
  /** Pairs of a comparison are counted from 0. */
  readonly pair: number
}

/** The turns of all blocks: `pairs`, an even number, of each of `comparisons`. */
export function makeSchedule(comparisons: number, pairs: number, seed: bigint): Turn[] {
  const generator = new Generator(seed)
  return Array.from({ length: pairs / 2 }, (_, block) => blockTurns(comparisons, block, generator)).flat()
}

function blockTurns(comparisons: number, block: number, generator: Generator): Turn[] {
  const order = shuffled(comparisons, generator)
  return [
    ...order.flatMap((of): Turn[] => [
      { of, side: 'beside', pair: 2 * block },
      { of, side: 'arm', pair: 2 * block },
    ]),
    ...order.toReversed().flatMap((of): Turn[] => [
      { of, side: 'arm', pair: 2 * block + 1 },
      { of, side: 'beside', pair: 2 * block + 1 },
    ]),
  ]
}

/** 0 to count - 1 in a random order (Fisher and Yates). */
function shuffled(count: number, generator: Generator): number[] {
  const order = Array.from({ length: count }, (_, i) => i)
  for (let last = count - 1; last > 0; last--) {
    generator.flip()
    const other = Math.floor(generator.coin * (last + 1))
    ;[order[last], order[other]] = [order[other]!, order[last]!]
  }
  return order
}
