/**
 * Vectors of 16 numbers of 32 bits on any instruction set: one zmm register, or two of ymm. What is written with these computes
 * the same on all of them, to the last bit.
 */
import type { Label } from './code-buffer.ts'
import type { Memory } from './registers.ts'

/** One number for all lanes, ready to be an operand: a vector that holds it, or 32 bytes of it. */
export type Constant = { readonly vector: number } | { readonly memory: Memory }

/** The second source of an operation: a vector, 64 bytes of memory, or a constant. */
export type Operand = number | Memory | Constant

/** The names are what the methods do; the target stands first. */
export interface Lanes {
  /** How many vectors there are, numbered from 0 on. */
  readonly vectors: number

  load(to: number, from: Memory): void
  store(to: Memory, from: number): void
  /** As 16 numbers of fp16. */
  storeHalves(to: Memory, from: number): void
  /** The first number. */
  storeFirst(to: Memory, from: number): void
  /** As 16 bytes, held to -128 and 127. */
  storeBytes(to: Memory, from: number): void
  /** The lower half of a general register for all lanes. */
  broadcastRegister(to: number, from: number): void
  zero(to: number): void
  /** A constant in a vector. */
  constant(to: number, from: Constant): void

  /** Writes numbers, given by their bits, as data that `useTable` reads. */
  emitTable(table: Label, bits: readonly number[]): void
  /** Makes the numbers of a table operands. They may take the vectors from `first` on; `base` must not change while they are used. */
  useTable(table: Label, count: number, places: TablePlaces): Constant[]

  /** To the nearest whole number, the even one of two. */
  toInt(to: number, from: number): void
  /** The same as a float. */
  round(to: number, from: number): void
  mul(to: number, a: number, b: Operand): void
  div(to: number, a: number, b: Operand): void
  add(to: number, a: number, b: Operand): void
  sub(to: number, a: number, b: Operand): void
  sqrt(to: number, from: number): void
  /** The larger; `b` where one of them is no number. */
  max(to: number, a: number, b: Operand): void
  /** `x` where it is no number, or not below `least`. */
  atLeast(x: number, least: Constant): void
  /** `x` where it is no number, or not above `most`. */
  atMost(x: number, most: Constant): void
  /** to += a × b */
  fma(to: number, a: number, b: Operand): void
  /** to += a × the number at `b` */
  fmaBroadcast(to: number, a: number, b: Memory): void
  /** to = a × to + b */
  fmaOnto(to: number, a: number, b: Operand): void
  /** to −= a × b */
  fnma(to: number, a: number, b: Operand): void
  /** x = sum × 2^n, n a whole number from -252 to 254 as a float, or none. Takes `n`. */
  scale(x: number, sum: number, by: { readonly n: number; readonly one: Constant }): void

  and(to: number, a: number, b: Operand): void
  addInt(to: number, a: number, b: Operand): void
  subInt(to: number, a: number, b: Operand): void
  /** The larger of signed numbers. */
  maxInt(to: number, a: number, b: Operand): void
  shiftLeft(to: number, from: number, count: number): void
  /** Of each eight numbers in the order of the vector `order`, places from 0 to 7, and from 8 to 15 for the second eight. */
  permuteEights(to: number, from: number, order: number): void
  /** Puts `hidden` where the number of a key is not below the limit. Takes `work`. */
  hide(values: number, by: Hiding): void
  /** Brings the 16 numbers together, each becomes what is made of all: i with i + 8, then + 4, + 2, + 1. Takes `other`. */
  fold(vector: number, other: number, together: (to: number, a: number, b: number) => void): void
}

export interface TablePlaces {
  /** The first vector. */
  readonly first: number
  /** A general register. */
  readonly base: number
}

export interface Hiding {
  readonly keys: number
  readonly limit: Memory
  readonly hidden: Constant
  readonly work: number
}

/** What of the code data is written with. */
export interface DataCode {
  align(bytes: number): void
  bind(label: Label): void
  int32(value: number): void
  leaLabel(to: number, label: Label): void
}
