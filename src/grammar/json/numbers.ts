/** Numbers of JSON within bounds, as expressions over their digits. */
import { addRange, emptySet } from '../regex/byte-sets.ts'
import type { Machine } from '../regex/machine.ts'
import { EMPTY, NOTHING, type Regex, type Regexes } from '../regex/regexes.ts'
import { Decimal } from './decimal.ts'

export interface Bound {
  readonly value: Decimal
  readonly exclusive: boolean
}

interface NumberRule {
  /** Which numbers: those without a fraction, those with one. */
  readonly integers: boolean
  readonly fractions: boolean
  readonly min: Bound | undefined
  readonly max: Bound | undefined
  readonly multiples: readonly Decimal[]
  readonly notMultiples: readonly Decimal[]
  readonly not: readonly Decimal[]
}

/** A remainder has to be carried along: of so many values at most. */
const MOST_REMAINDERS = 1_000_000n

const ZERO = Decimal.of(0)

export class NumberLanguage {
  readonly #regexes: Regexes
  readonly #digit: Regex
  readonly #digits: Regex
  /** Digits without a leading zero. */
  readonly #whole: Regex
  readonly #nonzero: Regex

  constructor(regexes: Regexes) {
    this.#regexes = regexes
    this.#digit = regexes.range(0x30, 0x39)
    this.#digits = regexes.star(this.#digit)
    this.#nonzero = regexes.range(0x31, 0x39)
    this.#whole = regexes.or([regexes.byte(0x30), regexes.concat(this.#nonzero, this.#digits)])
  }

  /** `undefined` where a step is too large to count with. */
  of(rule: NumberRule): Regex | undefined {
    const { min, max, multiples, notMultiples, not } = rule
    if (!rule.integers && !rule.fractions) return NOTHING
    const plain =
      min === undefined && max === undefined && multiples.length + notMultiples.length + not.length === 0
    if (plain && rule.integers && rule.fractions) return this.#any()
    const machines = [...multiples, ...notMultiples].map((step) => multipleMachine(step))
    if (machines.includes(undefined)) return undefined
    const regexes = this.#regexes
    const remainders = machines.map((machine, i) => {
      const regex = regexes.machine(machine!)
      return i < multiples.length ? regex : regexes.not(regex)
    })
    const magnitude = (low: Bound | undefined, high: Bound | undefined, zero: boolean): Regex =>
      regexes.and([
        this.#form(rule),
        ...remainders,
        ...(low === undefined ? [] : [this.#atLeast(low)]),
        ...(high === undefined ? [] : [this.#atMost(high)]),
        ...(zero ? [] : [this.#atLeast({ value: ZERO, exclusive: true })]),
      ])
    const positive = magnitude(min && notNegative(min), max, true)
    const negative = magnitude(max && notNegative(mirror(max)), min && mirror(min), false)
    const isPositive = max === undefined || !max.value.isNegative
    const isNegative = min === undefined || min.value.isNegative
    const all = regexes.or([
      isPositive ? positive : NOTHING,
      isNegative ? regexes.concat(regexes.byte(0x2d), negative) : NOTHING,
    ])
    return regexes.and([all, ...not.map((value) => regexes.not(this.#spellings(value)))])
  }

  /** With exponents; zero without a sign. */
  #any(): Regex {
    const regexes = this.#regexes
    const sign = regexes.optional(regexes.bytes(addRange(addRange(emptySet(), 0x2b, 0x2b), 0x2d, 0x2d)))
    const letter = regexes.bytes(addRange(addRange(emptySet(), 0x45, 0x45), 0x65, 0x65))
    const exponent = regexes.optional(regexes.concat(letter, sign, regexes.plus(this.#digit)))
    const magnitude = regexes.concat(this.#decimal(), exponent)
    const zero = regexes.concat(
      regexes.byte(0x30),
      regexes.optional(regexes.concat(regexes.byte(0x2e), regexes.plus(regexes.byte(0x30)))),
      exponent,
    )
    const negative = regexes.and([magnitude, regexes.not(zero)])
    return regexes.or([magnitude, regexes.concat(regexes.byte(0x2d), negative)])
  }

  #decimal(): Regex {
    const { concat, optional, plus, byte } = bound(this.#regexes)
    return concat(this.#whole, optional(concat(byte(0x2e), plus(this.#digit))))
  }

  #form({ integers, fractions }: NumberRule): Regex {
    const { concat, byte } = bound(this.#regexes)
    if (integers) return fractions ? this.#decimal() : this.#whole
    return concat(this.#whole, byte(0x2e), this.#digits, this.#nonzero, this.#digits)
  }

  /** Numbers without a sign that are at least so much. */
  #atLeast({ value, exclusive }: Bound): Regex {
    const { whole, fraction } = value.parts()
    const { or, concat, optional, byte, plus } = bound(this.#regexes)
    const anyFraction = optional(concat(byte(0x2e), plus(this.#digit)))
    const more = concat(this.#compareWhole(whole, 'more'), anyFraction)
    const behind = concat(byte(0x2e), this.#fractionAtLeast(fraction, exclusive))
    const same = fraction === '' && !exclusive ? anyFraction : behind
    return or([more, concat(this.#regexes.literal(whole), same)])
  }

  #atMost({ value, exclusive }: Bound): Regex {
    const { whole, fraction } = value.parts()
    const { or, concat, optional, byte, plus } = bound(this.#regexes)
    const less = concat(this.#compareWhole(whole, 'less'), optional(concat(byte(0x2e), plus(this.#digit))))
    const some = concat(byte(0x2e), this.#fractionAtMost(fraction, exclusive))
    const same = fraction === '' && exclusive ? NOTHING : optional(some)
    return or([less, concat(this.#regexes.literal(whole), same)])
  }

  /** Whole numbers that are more, or less, than one. */
  #compareWhole(whole: string, how: 'more' | 'less'): Regex {
    const { or, and, concat, repeat } = bound(this.#regexes)
    const length = whole.length
    const others =
      how === 'more'
        ? repeat(this.#digit, length + 1, Number.POSITIVE_INFINITY)
        : repeat(this.#digit, 1, length - 1)
    const shorter = how === 'less' && length === 1 ? NOTHING : others
    let same: Regex = NOTHING
    for (let i = length - 1; i >= 0; i--) {
      const digit = whole.charCodeAt(i)
      const [from, to] = how === 'more' ? [digit + 1, 0x39] : [0x30, digit - 1]
      const differs =
        from > to
          ? NOTHING
          : concat(this.#regexes.range(from, to), repeat(this.#digit, length - 1 - i, length - 1 - i))
      same = or([differs, concat(this.#regexes.byte(digit), same)])
    }
    return and([this.#whole, or([shorter, same])])
  }

  /** Digits behind the point that are at least `fraction`, at least one of them. */
  #fractionAtLeast(fraction: string, exclusive: boolean): Regex {
    const { or, concat, and, plus } = bound(this.#regexes)
    let regex = exclusive ? concat(this.#digits, this.#nonzero, this.#digits) : this.#digits
    for (let i = fraction.length - 1; i >= 0; i--) {
      const digit = fraction.charCodeAt(i)
      const more = digit === 0x39 ? NOTHING : concat(this.#regexes.range(digit + 1, 0x39), this.#digits)
      regex = or([more, concat(this.#regexes.byte(digit), regex)])
    }
    return and([plus(this.#digit), regex])
  }

  #fractionAtMost(fraction: string, exclusive: boolean): Regex {
    const { or, concat, and, plus, star, byte } = bound(this.#regexes)
    let regex = exclusive ? NOTHING : star(byte(0x30))
    for (let i = fraction.length - 1; i >= 0; i--) {
      const digit = fraction.charCodeAt(i)
      const less = digit === 0x30 ? NOTHING : concat(this.#regexes.range(0x30, digit - 1), this.#digits)
      regex = or([EMPTY, less, concat(this.#regexes.byte(digit), regex)])
    }
    return and([plus(this.#digit), regex])
  }

  /** All spellings of one number without an exponent. */
  #spellings(value: Decimal): Regex {
    const { concat, optional, byte, plus, star } = bound(this.#regexes)
    const { fraction } = value.parts()
    const zeros = fraction === '' ? optional(concat(byte(0x2e), plus(byte(0x30)))) : star(byte(0x30))
    return concat(this.#regexes.literal(value.toString()), zeros)
  }
}

/** The operations without their object. */
function bound(regexes: Regexes) {
  return {
    or: regexes.or.bind(regexes),
    and: regexes.and.bind(regexes),
    concat: regexes.concat.bind(regexes),
    optional: regexes.optional.bind(regexes),
    plus: regexes.plus.bind(regexes),
    star: regexes.star.bind(regexes),
    repeat: regexes.repeat.bind(regexes),
    byte: regexes.byte.bind(regexes),
  }
}

function mirror({ value, exclusive }: Bound): Bound {
  return { value: value.negate(), exclusive }
}

/** A lower bound below zero bounds no magnitude. */
function notNegative(bound: Bound): Bound {
  return bound.value.isNegative ? { value: ZERO, exclusive: false } : bound
}

/**
 * Numbers without a sign that are a multiple of `step` = a / 10^d: the digits so far modulo a, and how many stand behind the point.
 * @returns `undefined` where there are too many remainders.
 */
function multipleMachine(step: Decimal): Machine | undefined {
  const modulus = step.digits
  if (modulus > MOST_REMAINDERS) return undefined
  const places = step.scale
  const a = Number(modulus)
  const width = places + 3
  // 0 … places: so many digits behind the point; `before`: none yet; `point`: just behind it.
  const [before, point] = [places + 1, places + 2]
  const state = (phase: number, rest: number) => rest * width + phase
  return {
    start: state(before, 0),
    sets: [
      addRange(emptySet(), 0x2e, 0x2e),
      ...Array.from({ length: 10 }, (_, d) => addRange(emptySet(), 0x30 + d, 0x30 + d)),
    ],
    step(from, byte) {
      const phase = from % width
      const rest = Math.floor(from / width)
      if (byte === 0x2e) return phase === before ? state(point, rest) : -1
      if (byte < 0x30 || byte > 0x39) return -1
      const digit = byte - 0x30
      if (phase === before) return state(before, (rest * 10 + digit) % a)
      const behind = phase === point ? 0 : phase
      if (behind === places) return digit === 0 ? state(places, rest) : -1
      return state(behind + 1, (rest * 10 + digit) % a)
    },
    accepts(at) {
      const phase = at % width
      if (phase === point) return false
      const behind = phase === before ? 0 : phase
      let rest = Math.floor(at / width)
      for (let i = behind; i < places; i++) rest = (rest * 10) % a
      return rest === 0
    },
  }
}
