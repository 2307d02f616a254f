/**
 * The coin of one request: xoshiro128** 1.1 by David Blackman and Sebastiano Vigna (prng.di.unimi.it), its 128 bits
 * of state filled from a 64-bit seed by two steps of SplitMix64, low word first, as its authors advise. All of it
 * is 32-bit integer arithmetic, so that the same seed gives the same numbers everywhere.
 */

export const MAX_SEED = 2n ** 64n - 1n

/** A fresh seed below 2^53, which a JSON number carries exactly. */
export function freshSeed(): bigint {
  const [random] = crypto.getRandomValues(new BigUint64Array(1))
  return random! >> 11n
}

/** The seed of one of several answers to a request with that seed: the first has its own, the others one of SplitMix64's. */
export function sampleSeed(seed: bigint, index: number): bigint {
  return index === 0 ? seed : mix(BigInt.asUintN(64, mix(seed) + BigInt(index) * 0x9e3779b97f4a7c15n))
}

export class Generator {
  /** The coin flipped last, a multiple of 2^-53 in [0, 1). A field: as a result it would be a heap object per token. */
  coin = 0.5
  readonly #state: Int32Array

  /** @param seed 0 to 2^64 - 1. */
  constructor(seed: bigint) {
    this.#state = expandSeed(seed)
  }

  /** 32 bits, as a signed integer. */
  next(): number {
    const s = this.#state
    const s1 = s[1]!
    const times5 = Math.imul(s1, 5)
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9)
    s[2]! ^= s[0]!
    s[3]! ^= s1
    s[1] = s1 ^ s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= s1 << 9
    s[3] = (s[3]! << 11) | (s[3]! >>> 21)
    return result
  }

  /** Sets `coin`: the top 27 bits of one number, then the top 26 of the next. */
  flip(): void {
    const high = this.next() >>> 5
    const low = this.next() >>> 6
    this.coin = (high * 0x4000000 + low) / 0x20000000000000
  }
}

/** Two outputs of SplitMix64 as four words. They are never all zero: its outputs are distinct. */
function expandSeed(seed: bigint): Int32Array {
  const first = BigInt.asUintN(64, seed + 0x9e3779b97f4a7c15n)
  const second = BigInt.asUintN(64, first + 0x9e3779b97f4a7c15n)
  return Int32Array.from(
    [mix(first), mix(second)].flatMap((word) => [Number(word & 0xffffffffn) | 0, Number(word >> 32n) | 0]),
  )
}

/** SplitMix64's output for one value of its counter. */
function mix(counter: bigint): bigint {
  const a = BigInt.asUintN(64, (counter ^ (counter >> 30n)) * 0xbf58476d1ce4e5b9n)
  const b = BigInt.asUintN(64, (a ^ (a >> 27n)) * 0x94d049bb133111ebn)
  return b ^ (b >> 31n)
}
