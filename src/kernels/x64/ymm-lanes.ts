/** 16 lanes as two ymm registers, 2v and 2v + 1 for vector v. The last two registers are for the work within one operation. */
import type { Label } from './code-buffer.ts'
import type { Constant, DataCode, Hiding, Lanes, Operand, TablePlaces } from './lanes.ts'
import { at, type Memory, type Source } from './registers.ts'
import type { Ymm } from './ymm.ts'

const WORK = 14
const MORE_WORK = 15
/** Of a register. */
const BYTES = 32
/** Of `vroundps`: to the nearest, the even one of two, and inexactness is no matter. */
const TO_NEAREST = 8
/** Of `vperm2f128`: halves as they are, and swapped. */
const AS_IT_IS = 0x10
const SWAPPED = 0x01
/** Bits of the fraction of fp32. */
const FRACTION_BITS = 23

type Operation = (to: number, a: number, b: Source) => void
type Change = (to: number, from: number) => void

export class YmmLanes implements Lanes {
  readonly vectors = 7
  readonly #code: DataCode
  readonly #ymm: Ymm

  constructor(code: DataCode, ymm: Ymm) {
    this.#code = code
    this.#ymm = ymm
  }

  load(to: number, from: Memory): void {
    for (const half of HALVES) this.#ymm.vmovups(2 * to + half, part(from, half))
  }

  store(to: Memory, from: number): void {
    for (const half of HALVES) this.#ymm.vmovupsStore(part(to, half), 2 * from + half)
  }

  storeHalves({ base, disp }: Memory, from: number): void {
    for (const half of HALVES) this.#ymm.vcvtps2phStore(at(base, disp + 16 * half), 2 * from + half)
  }

  storeFirst(to: Memory, from: number): void {
    this.#ymm.vmovssStore(to, 2 * from)
  }

  storeBytes(to: Memory, from: number): void {
    const [low, high] = [2 * from, 2 * from + 1]
    // Packing works within halves: places 0 to 3 and 8 to 11 first, then the others.
    this.#ymm.vperm2f128(WORK, low, high, 0x20)
    this.#ymm.vperm2f128(MORE_WORK, low, high, 0x31)
    this.#ymm.vpackssdw(WORK, WORK, MORE_WORK)
    this.#ymm.vperm2f128(MORE_WORK, WORK, WORK, SWAPPED)
    this.#ymm.vpacksswb(WORK, WORK, MORE_WORK)
    this.#ymm.vmovupsStoreLow(to, WORK)
  }

  broadcastRegister(to: number, from: number): void {
    this.#ymm.vmovdRegister(2 * to, from)
    this.#ymm.vpbroadcastdVector(2 * to, 2 * to)
    this.#ymm.vperm2f128(2 * to + 1, 2 * to, 2 * to, AS_IT_IS)
  }

  zero(to: number): void {
    for (const half of HALVES) this.#ymm.vpxor(2 * to + half, 2 * to + half, 2 * to + half)
  }

  constant(to: number, from: Constant): void {
    for (const half of HALVES) this.#ymm.vmovups(2 * to + half, memoryOf(from))
  }

  emitTable(table: Label, bits: readonly number[]): void {
    this.#code.align(BYTES)
    this.#code.bind(table)
    for (const each of bits) for (let i = 0; i < BYTES / 4; i++) this.#code.int32(each)
  }

  useTable(table: Label, count: number, { base }: TablePlaces): Constant[] {
    this.#code.leaLabel(base, table)
    return Array.from({ length: count }, (_, i) => ({ memory: at(base, BYTES * i) }))
  }

  toInt(to: number, from: number): void {
    this.#change(to, from, (t, f) => this.#ymm.vcvtps2dq(t, f))
  }

  round(to: number, from: number): void {
    this.#change(to, from, (t, f) => this.#ymm.vroundps(t, f, TO_NEAREST))
  }

  sqrt(to: number, from: number): void {
    this.#change(to, from, (t, f) => this.#ymm.vsqrtps(t, f))
  }

  mul(to: number, a: number, b: Operand): void {
    this.#each(to, a, b, (t, x, y) => this.#ymm.vmulps(t, x, y))
  }

  div(to: number, a: number, b: Operand): void {
    this.#each(to, a, b, (t, x, y) => this.#ymm.vdivps(t, x, y))
  }

  add(to: number, a: number, b: Operand): void {
    this.#each(to, a, b, (t, x, y) => this.#ymm.vaddps(t, x, y))
  }

  sub(to: number, a: number, b: Operand): void {
    this.#each(to, a, b, (t, x, y) => this.#ymm.vsubps(t, x, y))
  }

  max(to: number, a: number, b: Operand): void {
    this.#each(to, a, b, (t, x, y) => this.#ymm.vmaxps(t, x, y))
  }

  atLeast(x: number, least: Constant): void {
    this.#ymm.vmovups(WORK, memoryOf(least))
    for (const half of HALVES) this.#ymm.vmaxps(2 * x + half, WORK, 2 * x + half)
  }

  atMost(x: number, most: Constant): void {
    this.#ymm.vmovups(WORK, memoryOf(most))
    for (const half of HALVES) this.#ymm.vminps(2 * x + half, WORK, 2 * x + half)
  }

  fma(to: number, a: number, b: Operand): void {
    this.#each(to, a, b, (t, x, y) => this.#ymm.vfmadd231ps(t, x, y))
  }

  fmaBroadcast(to: number, a: number, b: Memory): void {
    this.#ymm.vpbroadcastd(WORK, b)
    for (const half of HALVES) this.#ymm.vfmadd231ps(2 * to + half, 2 * a + half, WORK)
  }

  fmaOnto(to: number, a: number, b: Operand): void {
    this.#each(to, a, b, (t, x, y) => this.#ymm.vfmadd213ps(t, x, y))
  }

  fnma(to: number, a: number, b: Operand): void {
    this.#each(to, a, b, (t, x, y) => this.#ymm.vfnmadd231ps(t, x, y))
  }

  /** In two steps: 2^n itself may be no number of fp32 where the result is one. */
  scale(x: number, sum: number, { n, one }: { readonly n: number; readonly one: Constant }): void {
    for (const half of HALVES) {
      this.#ymm.vcvtps2dq(WORK, 2 * n + half)
      this.#ymm.vpsrad(MORE_WORK, WORK, 1)
      this.#ymm.vpsubd(WORK, WORK, MORE_WORK)
      for (const work of [WORK, MORE_WORK]) {
        this.#ymm.vpslld(work, work, FRACTION_BITS)
        this.#ymm.vpaddd(work, work, memoryOf(one))
      }
      this.#ymm.vmulps(2 * x + half, 2 * sum + half, WORK)
      this.#ymm.vmulps(2 * x + half, 2 * x + half, MORE_WORK)
    }
  }

  and(to: number, a: number, b: Operand): void {
    this.#each(to, a, b, (t, x, y) => this.#ymm.vpand(t, x, y))
  }

  addInt(to: number, a: number, b: Operand): void {
    this.#each(to, a, b, (t, x, y) => this.#ymm.vpaddd(t, x, y))
  }

  subInt(to: number, a: number, b: Operand): void {
    this.#each(to, a, b, (t, x, y) => this.#ymm.vpsubd(t, x, y))
  }

  maxInt(to: number, a: number, b: Operand): void {
    this.#each(to, a, b, (t, x, y) => this.#ymm.vpmaxsd(t, x, y))
  }

  shiftLeft(to: number, from: number, count: number): void {
    this.#change(to, from, (t, f) => this.#ymm.vpslld(t, f, count))
  }

  permuteEights(to: number, from: number, order: number): void {
    for (const half of HALVES) this.#ymm.vpermd(2 * to + half, 2 * order + half, 2 * from + half)
  }

  hide(values: number, { keys, limit, hidden }: Hiding): void {
    this.#ymm.vmovups(MORE_WORK, memoryOf(hidden))
    for (const half of HALVES) {
      this.#ymm.vpbroadcastd(WORK, limit)
      this.#ymm.vpcmpgtd(WORK, WORK, 2 * keys + half)
      this.#ymm.vblendvps(2 * values + half, MORE_WORK, 2 * values + half, WORK)
    }
  }

  fold(vector: number, other: number, together: (to: number, a: number, b: number) => void): void {
    for (const half of HALVES) {
      const opposite = 2 * vector + 1 - half
      this.#ymm.vperm2f128(2 * other + half, opposite, opposite, AS_IT_IS)
    }
    together(vector, vector, other)
    this.#change(other, vector, (t, f) => this.#ymm.vperm2f128(t, f, f, SWAPPED))
    together(vector, vector, other)
    for (const choice of [0x4e, 0xb1]) {
      this.#change(other, vector, (t, f) => this.#ymm.vshufps(t, f, f, choice))
      together(vector, vector, other)
    }
  }

  #change(to: number, from: number, change: Change): void {
    for (const half of HALVES) change(2 * to + half, 2 * from + half)
  }

  #each(to: number, a: number, b: Operand, operation: Operation): void {
    for (const half of HALVES) operation(2 * to + half, 2 * a + half, partOf(b, half))
  }
}

const HALVES = [0, 1] as const

const part = ({ base, disp }: Memory, half: number): Memory => at(base, disp + BYTES * half)

function partOf(b: Operand, half: number): Source {
  if (typeof b === 'number') return 2 * b + half
  return 'base' in b ? part(b, half) : memoryOf(b)
}

/** Constants of this set are in memory. */
function memoryOf(constant: Constant): Memory {
  if ('vector' in constant) throw new RangeError('a constant in a vector, of another set')
  return constant.memory
}
