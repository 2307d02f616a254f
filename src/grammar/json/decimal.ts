/** Numbers as JSON writes them, exact: digits × 10^-scale. */

const MOST_DIGITS = 1_000

export class Decimal {
  readonly digits: bigint
  /** How many of the digits stand behind the point; 0 for whole numbers, and the last of them is not 0. */
  readonly scale: number

  constructor(digits: bigint, scale: number) {
    let [rest, places] = [digits, scale]
    if (places < 0) [rest, places] = [rest * 10n ** BigInt(-places), 0]
    while (places > 0 && rest % 10n === 0n) [rest, places] = [rest / 10n, places - 1]
    this.digits = rest
    this.scale = places
  }

  /** `undefined` for a number with more digits than anybody bounds anything by. */
  static parse(text: string): Decimal | undefined {
    const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(
      text,
    )!
    const scale = fraction.length - Number(exponent)
    const digits = whole!.length + fraction.length
    if (Math.abs(scale) > MOST_DIGITS || digits > MOST_DIGITS) return undefined
    return new Decimal(BigInt(`${sign}${whole}${fraction}`), scale)
  }

  static of(value: number | bigint): Decimal {
    return new Decimal(BigInt(value), 0)
  }

  get isInteger(): boolean {
    return this.scale === 0
  }

  get isNegative(): boolean {
    return this.digits < 0n
  }

  negate(): Decimal {
    return new Decimal(-this.digits, this.scale)
  }

  /** Negative, 0 or positive. */
  compare(other: Decimal): number {
    const scale = Math.max(this.scale, other.scale)
    const [a, b] = [this.at(scale), other.at(scale)]
    return a < b ? -1 : a > b ? 1 : 0
  }

  /** The number times 10^scale; whole where `scale` is at least its own. */
  at(scale: number): bigint {
    return this.digits * 10n ** BigInt(scale - this.scale)
  }

  isMultipleOf(other: Decimal): boolean {
    const scale = Math.max(this.scale, other.scale)
    return this.at(scale) % other.at(scale) === 0n
  }

  /** The digits before the point and behind it, without the sign. */
  parts(): { whole: string; fraction: string } {
    const text = (this.isNegative ? -this.digits : this.digits).toString().padStart(this.scale + 1, '0')
    const point = text.length - this.scale
    return { whole: text.slice(0, point), fraction: text.slice(point) }
  }

  toString(): string {
    const { whole, fraction } = this.parts()
    return `${this.isNegative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
  }

  /** For counts: Infinity where it is larger than any. */
  toNumber(): number {
    return Number(this.toString())
  }
}
