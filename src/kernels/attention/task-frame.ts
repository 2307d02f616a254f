/** What the tasks of attention have in common: their frame, how they come to a page, what a tile takes, the output of a partial. */
import type { Assembler } from '../x64/assembler.ts'
import {
  at,
  R8,
  R9,
  R10,
  R11,
  R12,
  R13,
  R14,
  R15,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RSI,
  RSP,
} from '../x64/registers.ts'
import { JOB } from './attention-job.ts'
import {
  type AttentionShape,
  headPageBytes,
  partialBytes,
  sumOffset,
  tileQueries,
} from './attention-shape.ts'
import { SCORE_BYTES } from './segment-code.ts'

const SAVED = [RBX, RBP, R12, R13, R14, R15]

/** The frame of a task, on a multiple of 64: scores, partials, and what is kept across calls. */
export interface Frame {
  /** Partials of all keys so far. */
  readonly state: number
  /** Of a segment. */
  readonly partial: number
  readonly job: number
  /** The first key of the segment, by its number. */
  readonly first: number
  /** Keys of the segment. */
  readonly keys: number
  /** Where the limits of the queries are. */
  readonly limits: number
  /** The head of keys; of a single row, how many are left. */
  readonly heads: number
  /** From what a page has of this layer to this head. */
  readonly head: number
  /** Where the table has the page of the segment. */
  readonly pages: number
  /** Keys that one of the queries sees. */
  readonly most: number
  /** The first query by its number. */
  readonly query: number
  /** From a row to its position. */
  readonly origin: number
  readonly stack: number
  readonly bytes: number
}

export function frameOf({ isa }: Assembler, shape: AttentionShape): Frame {
  const size = tileQueries(isa)
  const state = size * SCORE_BYTES
  const partial = state + size * partialBytes(shape)
  const start = partial + size * partialBytes(shape)
  const names = [
    'job',
    'first',
    'keys',
    'limits',
    'heads',
    'head',
    'pages',
    'most',
    'query',
    'origin',
    'stack',
  ] as const
  const places = Object.fromEntries(names.map((name, i) => [name, start + 8 * i])) as Record<
    (typeof names)[number],
    number
  >
  return { state, partial, ...places, bytes: start + 128 }
}

export function emitEnter(code: Assembler, { bytes, stack, job }: Frame): void {
  for (const register of SAVED) code.push(register)
  code.lea(RAX, at(RSP, -bytes))
  code.shr(RAX, 6)
  code.imulNumber(RAX, RAX, 64)
  code.mov(RCX, RSP)
  code.mov(RSP, RAX)
  code.store(at(RSP, stack), RCX)
  code.store(at(RSP, job), RDI)
}

export function emitLeave(code: Assembler, { stack }: Frame): void {
  code.load(RSP, at(RSP, stack))
  for (const register of SAVED.toReversed()) code.pop(register)
  code.vzeroupper()
  code.ret()
}

/** Makes the place in the table what this layer has of the page. rdi: the job. Takes rax. */
export function emitPageAt(code: Assembler, register: number): void {
  code.loadWord(register, at(register))
  code.imul(register, at(RDI, JOB.pageBytes))
  code.load(RAX, at(RDI, JOB.pool))
  code.add(register, RAX)
}

/** What a tile takes, but for where its partials go. r14: keys and values of the head. */
export function emitTileArguments(code: Assembler, shape: AttentionShape, frame: Frame): void {
  code.mov(R8, R14)
  code.lea(R9, at(R14, headPageBytes(shape) / 2))
  code.load(R10, at(RSP, frame.limits))
  code.load(R11, at(RSP, frame.first))
  code.load(RCX, at(RSP, frame.keys))
  code.mov(RSI, R15)
  code.mov(RDI, RSP)
}

/** The sum of the values over that of the powers. */
export function emitOutputOf(
  code: Assembler,
  shape: AttentionShape,
  { partial, to }: { partial: number; to: number },
): void {
  const { lanes } = code
  lanes.load(0, at(partial, sumOffset(shape)))
  for (let i = 0; i < shape.headDim / 16; i++) {
    lanes.load(1, at(partial, 64 * i))
    lanes.div(1, 1, 0)
    lanes.store(at(to, 64 * i), 1)
  }
}
