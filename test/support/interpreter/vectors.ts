/** Vector instructions of the interpreter: of zmm, 16 lanes, or of ymm, 8 lanes, whose writes make the lanes above zero. */
import * as fp32 from '../../../src/kernels/numerics/fp32.ts'
import type { Memory as Operand } from '../../../src/kernels/x64/registers.ts'
import type { Machine } from './machine.ts'

type Source = Operand | number

/** Lanes of a register, whatever its size; after the 32 registers comes what was read from memory. */
const LANES = 16
const READ = 32 * LANES

export class Vectors {
  readonly #machine: Machine
  readonly #lanes: number
  readonly #f: Float32Array
  readonly #i: Int32Array
  readonly #b: Uint8Array
  readonly #s: Int8Array
  readonly #h: Int16Array
  readonly #masks = new Uint16Array(8)
  #isDirty = false

  constructor(machine: Machine, memory: Uint8Array, lanes: number) {
    this.#machine = machine
    this.#lanes = lanes
    this.#f = new Float32Array(memory.buffer)
    this.#i = new Int32Array(memory.buffer)
    this.#b = memory
    this.#s = new Int8Array(memory.buffer)
    this.#h = new Int16Array(memory.buffer)
  }

  get isUpperDirty(): boolean {
    return this.#isDirty || (this.#lanes === 16 && this.#machine.ymm.isUpperDirty)
  }

  clearUpper(): void {
    this.#isDirty = false
    if (this.#lanes === 16) this.#machine.ymm.clearUpper()
  }

  // Memory

  vmovups(to: number, from: Operand): void {
    this.#set(to, () => this.#copy(to, this.#read(from)))
  }

  vmovupsStore(to: Operand, from: number): void {
    this.#step(() => this.#write(to, this.#b.subarray(from * 64, from * 64 + this.#lanes * 4)))
  }

  vmovssStore(to: Operand, from: number): void {
    this.#step(() => this.#write(to, this.#b.subarray(from * 64, from * 64 + 4)))
  }

  /** The first 16 bytes. */
  vmovupsStoreLow(to: Operand, from: number): void {
    this.#step(() => this.#write(to, this.#b.subarray(from * 64, from * 64 + 16)))
  }

  vpbroadcastd(to: number, from: Operand): void {
    this.#set(to, () => this.#fill(to, this.#machine.memory.loadWord(this.#machine.address(from))))
  }

  vpbroadcastdRegister(to: number, from: number): void {
    this.#set(to, () => this.#fill(to, this.#machine.value(from) % 2 ** 32))
  }

  /** From the first lane of a vector. */
  vpbroadcastdVector(to: number, from: number): void {
    this.#set(to, () => this.#fill(to, this.#i[from * LANES]!))
  }

  /** From a general register to the first lane; those after it are zero. */
  vmovdRegister(to: number, from: number): void {
    this.#set(to, () => {
      this.#fill(to, 0)
      this.#i[to * LANES] = this.#machine.value(from) % 2 ** 32
    })
  }

  vcvtph2ps(to: number, from: Operand): void {
    this.#set(to, () => {
      const address = this.#machine.address(from)
      const { view, base } = this.#machine.memory.at(address, 2 * this.#lanes)
      for (let i = 0; i < this.#lanes; i++) {
        this.#f[to * LANES + i] = fp32.fromHalf(view.getUint16(address - base + 2 * i, true))
      }
    })
  }

  vcvtps2phStore(to: Operand, from: number): void {
    this.#step(() => {
      const halves = Uint16Array.from(this.#f.subarray(from * LANES, from * LANES + this.#lanes), fp32.toHalf)
      this.#write(to, new Uint8Array(halves.buffer))
    })
  }

  vpmovsdbStore(to: Operand, from: number): void {
    this.#step(() => {
      const numbers = this.#i.subarray(from * LANES, from * LANES + this.#lanes)
      this.#write(to, new Uint8Array(Int8Array.from(numbers, (n) => clamp(n, 8)).buffer))
    })
  }

  // Floats

  vcvtdq2ps(to: number, from: number): void {
    this.#each(to, (i) => {
      this.#f[to * LANES + i] = this.#i[from * LANES + i]!
    })
  }

  vcvtps2dq(to: number, from: number): void {
    this.#each(to, (i) => {
      this.#i[to * LANES + i] = fp32.toInt(this.#daz(this.#f[from * LANES + i]!))
    })
  }

  vmulps(to: number, a: number, b: Source): void {
    this.#floats(to, a, b, (x, y) => x * y)
  }

  vdivps(to: number, a: number, b: Source): void {
    this.#floats(to, a, b, (x, y) => x / y)
  }

  vaddps(to: number, a: number, b: Source): void {
    this.#floats(to, a, b, (x, y) => x + y)
  }

  vsubps(to: number, a: number, b: Source): void {
    this.#floats(to, a, b, (x, y) => x - y)
  }

  vmaxps(to: number, a: number, b: Source): void {
    this.#floats(to, a, b, (x, y) => (x > y ? x : y))
  }

  vminps(to: number, a: number, b: Source): void {
    this.#floats(to, a, b, (x, y) => (x < y ? x : y))
  }

  vsqrtps(to: number, from: number): void {
    this.#floats(to, from, from, (x) => Math.sqrt(x))
  }

  vfmadd231ps(to: number, a: number, b: Source): void {
    this.#set(to, () => this.#fuse(to, { x: a * LANES, y: this.#source(b), z: to * LANES }))
  }

  vfmadd231psBroadcast(to: number, a: number, b: Operand): void {
    this.#set(to, () => {
      this.#fill(READ / LANES, this.#machine.memory.loadWord(this.#machine.address(b)))
      this.#fuse(to, { x: a * LANES, y: READ, z: to * LANES })
    })
  }

  vfmadd213ps(to: number, a: number, b: Source): void {
    this.#set(to, () => this.#fuse(to, { x: a * LANES, y: to * LANES, z: this.#source(b) }))
  }

  vfnmadd231ps(to: number, a: number, b: Source): void {
    this.#set(to, () => this.#fuse(to, { x: a * LANES, y: this.#source(b), z: to * LANES }, -1))
  }

  vrndscaleps(to: number, from: number, mode: number): void {
    if (mode !== 8) throw new Error(`a way of rounding: ${mode}`)
    this.#floats(to, from, from, fp32.nearest)
  }

  vroundps(to: number, from: number, mode: number): void {
    this.vrndscaleps(to, from, mode)
  }

  vscalefps(to: number, a: number, b: Source): void {
    this.#floats(to, a, b, (x, y) => x * 2 ** Math.floor(Math.max(-600, Math.min(600, y))))
  }

  // Whole numbers

  vpcmpgtd(to: number, a: number, b: Source): void {
    this.#step(() => {
      const at = this.#source(b)
      let mask = 0
      for (let i = 0; i < this.#lanes; i++) {
        const isGreater = this.#i[a * LANES + i]! > this.#i[at + i]!
        if (isGreater) mask |= 1 << i
        // A mask register of AVX-512; AVX2 fills the lanes of a vector.
        if (this.#lanes === 8) this.#i[to * LANES + i] = isGreater ? -1 : 0
      }
      if (this.#lanes === 16) this.#masks[to] = mask
      else this.#clearAbove(to)
    })
  }

  vblendmps(to: number, mask: number, a: number, b: number): void {
    this.#each(to, (i) => {
      const from = (this.#masks[mask]! >> i) & 1 ? b : a
      this.#i[to * LANES + i] = this.#i[from * LANES + i]!
    })
  }

  /** `b` where the sign of `mask` is set, else `a`. */
  vblendvps(to: number, a: number, b: Source, mask: number): void {
    this.#whole(to, a, b, (x, y, i) => (this.#i[mask * LANES + i]! < 0 ? y : x))
  }

  vpaddd(to: number, a: number, b: Source): void {
    this.#whole(to, a, b, (x, y) => x + y)
  }

  vpsubd(to: number, a: number, b: Source): void {
    this.#whole(to, a, b, (x, y) => x - y)
  }

  vpandd(to: number, a: number, b: Source): void {
    this.#whole(to, a, b, (x, y) => x & y)
  }

  vpand(to: number, a: number, b: Source): void {
    this.vpandd(to, a, b)
  }

  vpxord(to: number, a: number, b: Source): void {
    this.#whole(to, a, b, (x, y) => x ^ y)
  }

  vpxor(to: number, a: number, b: Source): void {
    this.vpxord(to, a, b)
  }

  vpmaxsd(to: number, a: number, b: Source): void {
    this.#whole(to, a, b, (x, y) => Math.max(x, y))
  }

  vpmovzxbd(to: number, from: Operand): void {
    this.#set(to, () => {
      const address = this.#machine.address(from)
      const { bytes, base } = this.#machine.memory.at(address, this.#lanes)
      for (let i = 0; i < this.#lanes; i++) this.#i[to * LANES + i] = bytes[address - base + i]!
    })
  }

  vpmulld(to: number, a: number, b: Source): void {
    this.#whole(to, a, b, Math.imul)
  }

  vpmulldBroadcast(to: number, a: number, b: Operand): void {
    this.#set(to, () => {
      const factor = this.#machine.memory.loadWord(this.#machine.address(b))
      for (let i = 0; i < this.#lanes; i++) {
        this.#i[to * LANES + i] = Math.imul(this.#i[a * LANES + i]!, factor)
      }
    })
  }

  vpslld(to: number, from: number, count: number): void {
    this.#whole(to, from, from, (x) => x << count)
  }

  vpsrad(to: number, from: number, count: number): void {
    this.#whole(to, from, from, (x) => x >> count)
  }

  vpsrlw(to: number, from: number, count: number): void {
    this.#words(to, from, from, (x) => (x & 0xffff) >> count)
  }

  vpaddw(to: number, a: number, b: Source): void {
    this.#words(to, a, b, (x, y) => x + y)
  }

  vpabsb(to: number, from: number): void {
    this.#bytes(to, from, (x) => Math.abs(x))
  }

  vpsignb(to: number, a: number, b: number): void {
    this.#bytes(to, b, (sign, i) => Math.sign(sign) * this.#s[a * 64 + i]!)
  }

  /** Bytes without sign in `a` times bytes with one in `b`, two side by side added, held to 16 bits. */
  vpmaddubsw(to: number, a: number, b: Source): void {
    this.#set(to, () => {
      const at = this.#source(b) * 4
      const pairs = Array.from({ length: this.#lanes * 2 }, (_, i) => {
        const [left, right] = [a * 64 + 2 * i, at + 2 * i]
        return this.#b[left]! * this.#s[right]! + this.#b[left + 1]! * this.#s[right + 1]!
      })
      for (const [i, pair] of pairs.entries()) this.#h[to * 32 + i] = clamp(pair, 16)
    })
  }

  /** Numbers of 16 bits multiplied, two side by side added. */
  vpmaddwd(to: number, a: number, b: Source): void {
    this.#set(to, () => {
      const at = this.#source(b) * 2
      const sums = Array.from({ length: this.#lanes }, (_, i) => {
        const [left, right] = [a * 32 + 2 * i, at + 2 * i]
        return this.#h[left]! * this.#h[right]! + this.#h[left + 1]! * this.#h[right + 1]!
      })
      for (const [i, sum] of sums.entries()) this.#i[to * LANES + i] = sum
    })
  }

  /** With AVX-512 four bytes for all lanes; with AVX-VNNI a vector. */
  vpdpbusd(to: number, a: number, b: Source): void {
    this.#set(to, () => {
      let at = READ
      if (this.#lanes === 8) at = this.#source(b)
      else this.#fill(READ / LANES, this.#machine.memory.loadWord(this.#machine.address(b as Operand)))
      for (let i = 0; i < this.#lanes; i++) {
        let sum = this.#i[to * LANES + i]!
        for (let byte = 0; byte < 4; byte++) {
          sum += this.#b[a * 64 + 4 * i + byte]! * this.#s[(at + i) * 4 + byte]!
        }
        this.#i[to * LANES + i] = sum
      }
    })
  }

  // Places

  vshuff32x4(to: number, a: number, b: number, choice: number): void {
    this.#places(to, (i) => {
      const quarter = Math.floor(i / 4)
      const from = quarter < 2 ? a : b
      return from * LANES + 4 * ((choice >> (2 * quarter)) & 3) + (i % 4)
    })
  }

  vshufps(to: number, a: number, b: number, choice: number): void {
    this.#places(to, (i) => {
      const [quarter, place] = [Math.floor(i / 4), i % 4]
      return (place < 2 ? a : b) * LANES + 4 * quarter + ((choice >> (2 * place)) & 3)
    })
  }

  vpermd(to: number, places: number, from: Source): void {
    this.#set(to, () => {
      const at = this.#source(from)
      const chosen = Array.from({ length: this.#lanes }, (_, i) => {
        return this.#i[at + (this.#i[places * LANES + i]! & (this.#lanes - 1))]!
      })
      this.#i.set(chosen, to * LANES)
    })
  }

  /** Halves of `a` and `b`, chosen by two bits for each half of the result. */
  vperm2f128(to: number, a: number, b: number, choice: number): void {
    this.#places(to, (i) => {
      const half = (choice >> (4 * Math.floor(i / 4))) & 3
      return (half < 2 ? a : b) * LANES + 4 * (half % 2) + (i % 4)
    })
  }

  /** Numbers of 32 bits held to 16; within each half those of `a`, then those of `b`. */
  vpackssdw(to: number, a: number, b: number): void {
    this.#set(to, () => {
      const packed = Array.from({ length: 16 }, (_, i) => {
        const [half, place] = [Math.floor(i / 8), i % 8]
        return clamp(this.#i[(place < 4 ? a : b) * LANES + 4 * half + (place % 4)]!, 16)
      })
      this.#h.set(packed, to * 32)
    })
  }

  vpacksswb(to: number, a: number, b: number): void {
    this.#set(to, () => {
      const packed = Array.from({ length: 32 }, (_, i) => {
        const [half, place] = [Math.floor(i / 16), i % 16]
        return clamp(this.#h[(place < 8 ? a : b) * 32 + 8 * half + (place % 8)]!, 8)
      })
      this.#s.set(packed, to * 64)
    })
  }

  // Within

  #step(step: () => void): void {
    this.#machine.step(step)
  }

  /** A step that writes a register. */
  #set(to: number, step: () => void): void {
    this.#step(() => {
      step()
      this.#clearAbove(to)
    })
  }

  #clearAbove(to: number): void {
    this.#isDirty = true
    this.#i.fill(0, to * LANES + this.#lanes, to * LANES + LANES)
  }

  #each(to: number, of: (i: number) => void): void {
    this.#set(to, () => {
      for (let i = 0; i < this.#lanes; i++) of(i)
    })
  }

  #fill(to: number, word: number): void {
    this.#i.fill(word, to * LANES, to * LANES + this.#lanes)
  }

  #copy(to: number, at: number): void {
    this.#i.copyWithin(to * LANES, at, at + this.#lanes)
  }

  #read(from: Operand): number {
    const address = this.#machine.address(from)
    const { view, base } = this.#machine.memory.at(address, 4 * this.#lanes)
    const offset = address - base
    for (let i = 0; i < this.#lanes; i++) this.#i[READ + i] = view.getInt32(offset + 4 * i, true)
    return READ
  }

  #write(to: Operand, bytes: Uint8Array): void {
    const address = this.#machine.address(to)
    const region = this.#machine.memory.at(address, bytes.length, true)
    region.bytes.set(bytes, address - region.base)
  }

  #source(b: Source): number {
    return typeof b === 'number' ? b * LANES : this.#read(b)
  }

  #daz(x: number): number {
    return this.#machine.hasDenormals ? x : fp32.read(x)
  }

  #floats(to: number, a: number, b: Source, of: (x: number, y: number) => number): void {
    this.#set(to, () => {
      const at = this.#source(b)
      const { hasDenormals } = this.#machine
      const f = this.#f
      for (let i = 0; i < this.#lanes; i++) {
        // Not by way of an array, which would make every NaN the same one.
        const x = f[a * LANES + i]!
        const y = f[at + i]!
        f[to * LANES + i] = hasDenormals ? of(x, y) : fp32.rounded(of(fp32.read(x), fp32.read(y)))
      }
    })
  }

  /** Lanes of x times those of y, with the sign, plus those of z. */
  #fuse(to: number, from: { x: number; y: number; z: number }, sign = 1): void {
    const { hasDenormals } = this.#machine
    const f = this.#f
    for (let i = 0; i < this.#lanes; i++) {
      const x = sign * f[from.x + i]!
      const y = f[from.y + i]!
      const z = f[from.z + i]!
      f[to * LANES + i] = hasDenormals ? fp32.fused(x, y, z) : fp32.fma(x, y, z)
    }
  }

  #whole(to: number, a: number, b: Source, of: (x: number, y: number, i: number) => number): void {
    this.#set(to, () => {
      const at = this.#source(b)
      const n = this.#i
      for (let i = 0; i < this.#lanes; i++) n[to * LANES + i] = of(n[a * LANES + i]!, n[at + i]!, i)
    })
  }

  #words(to: number, a: number, b: Source, of: (x: number, y: number) => number): void {
    this.#set(to, () => {
      const at = this.#source(b) * 2
      const h = this.#h
      for (let i = 0; i < 2 * this.#lanes; i++) h[to * 32 + i] = of(h[a * 32 + i]!, h[at + i]!)
    })
  }

  #bytes(to: number, b: Source, of: (x: number, i: number) => number): void {
    this.#set(to, () => {
      const at = this.#source(b) * 4
      for (let i = 0; i < 4 * this.#lanes; i++) this.#s[to * 64 + i] = of(this.#s[at + i]!, i)
    })
  }

  /** Whole numbers moved as they are. */
  #places(to: number, from: (i: number) => number): void {
    this.#set(to, () => {
      const moved = Array.from({ length: this.#lanes }, (_, i) => this.#i[from(i)]!)
      this.#i.set(moved, to * LANES)
    })
  }
}

/** Held to what a signed number of so many bits can be. */
function clamp(value: number, bits: number): number {
  const most = 2 ** (bits - 1)
  return Math.max(-most, Math.min(most - 1, value))
}
