/** 16 lanes as one zmm register. */
import type { Label } from './code-buffer.ts'
import type { Constant, DataCode, Hiding, Lanes, Operand, TablePlaces } from './lanes.ts'
import { at, type Memory, type Source } from './registers.ts'
import type { Zmm } from './zmm.ts'

/** A mask register. */
const MASK = 1
/** Of `vrndscaleps`: to the nearest, the even one of two, and inexactness is no matter. */
const TO_NEAREST = 8

export class ZmmLanes implements Lanes {
  readonly vectors = 32
  readonly #code: DataCode
  readonly #zmm: Zmm

  constructor(code: DataCode, zmm: Zmm) {
    this.#code = code
    this.#zmm = zmm
  }

  load(to: number, from: Memory): void {
    this.#zmm.vmovups(to, from)
  }

  store(to: Memory, from: number): void {
    this.#zmm.vmovupsStore(to, from)
  }

  storeHalves(to: Memory, from: number): void {
    this.#zmm.vcvtps2phStore(to, from)
  }

  storeFirst(to: Memory, from: number): void {
    this.#zmm.vmovssStore(to, from)
  }

  storeBytes(to: Memory, from: number): void {
    this.#zmm.vpmovsdbStore(to, from)
  }

  broadcastRegister(to: number, from: number): void {
    this.#zmm.vpbroadcastdRegister(to, from)
  }

  zero(to: number): void {
    this.#zmm.vpxord(to, to, to)
  }

  constant(to: number, from: Constant): void {
    const vector = source(from) as number
    this.#zmm.vpandd(to, vector, vector)
  }

  emitTable(table: Label, bits: readonly number[]): void {
    this.#code.align(4)
    this.#code.bind(table)
    for (const each of bits) this.#code.int32(each)
  }

  useTable(table: Label, count: number, { first, base }: TablePlaces): Constant[] {
    this.#code.leaLabel(base, table)
    return Array.from({ length: count }, (_, i) => {
      this.#zmm.vpbroadcastd(first + i, at(base, 4 * i))
      return { vector: first + i }
    })
  }

  toInt(to: number, from: number): void {
    this.#zmm.vcvtps2dq(to, from)
  }

  round(to: number, from: number): void {
    this.#zmm.vrndscaleps(to, from, TO_NEAREST)
  }

  mul(to: number, a: number, b: Operand): void {
    this.#zmm.vmulps(to, a, source(b))
  }

  div(to: number, a: number, b: Operand): void {
    this.#zmm.vdivps(to, a, source(b))
  }

  add(to: number, a: number, b: Operand): void {
    this.#zmm.vaddps(to, a, source(b))
  }

  sub(to: number, a: number, b: Operand): void {
    this.#zmm.vsubps(to, a, source(b))
  }

  sqrt(to: number, from: number): void {
    this.#zmm.vsqrtps(to, from)
  }

  max(to: number, a: number, b: Operand): void {
    this.#zmm.vmaxps(to, a, source(b))
  }

  atLeast(x: number, least: Constant): void {
    this.#zmm.vmaxps(x, source(least) as number, x)
  }

  atMost(x: number, most: Constant): void {
    this.#zmm.vminps(x, source(most) as number, x)
  }

  fma(to: number, a: number, b: Operand): void {
    this.#zmm.vfmadd231ps(to, a, source(b))
  }

  fmaBroadcast(to: number, a: number, b: Memory): void {
    this.#zmm.vfmadd231psBroadcast(to, a, b)
  }

  fmaOnto(to: number, a: number, b: Operand): void {
    this.#zmm.vfmadd213ps(to, a, source(b))
  }

  fnma(to: number, a: number, b: Operand): void {
    this.#zmm.vfnmadd231ps(to, a, source(b))
  }

  scale(x: number, sum: number, { n }: { readonly n: number }): void {
    this.#zmm.vscalefps(x, sum, n)
  }

  and(to: number, a: number, b: Operand): void {
    this.#zmm.vpandd(to, a, source(b))
  }

  addInt(to: number, a: number, b: Operand): void {
    this.#zmm.vpaddd(to, a, source(b))
  }

  subInt(to: number, a: number, b: Operand): void {
    this.#zmm.vpsubd(to, a, source(b))
  }

  maxInt(to: number, a: number, b: Operand): void {
    this.#zmm.vpmaxsd(to, a, source(b))
  }

  shiftLeft(to: number, from: number, count: number): void {
    this.#zmm.vpslld(to, from, count)
  }

  permuteEights(to: number, from: number, order: number): void {
    this.#zmm.vpermd(to, order, from)
  }

  hide(values: number, { keys, limit, hidden, work }: Hiding): void {
    this.#zmm.vpbroadcastd(work, limit)
    this.#zmm.vpcmpgtd(MASK, work, keys)
    this.#zmm.vblendmps(values, MASK, source(hidden) as number, values)
  }

  fold(vector: number, other: number, together: (to: number, a: number, b: number) => void): void {
    this.#zmm.vshuff32x4(other, vector, vector, 0x4e)
    together(vector, vector, other)
    this.#zmm.vshuff32x4(other, vector, vector, 0xb1)
    together(vector, vector, other)
    for (const choice of [0x4e, 0xb1]) {
      this.#zmm.vshufps(other, vector, vector, choice)
      together(vector, vector, other)
    }
  }
}

/** Constants of this set are vectors. */
function source(b: Operand): Source {
  if (typeof b === 'number' || 'base' in b) return b
  if ('memory' in b) throw new RangeError('a constant in memory, of another set')
  return b.vector
}
