/** The innermost part of attention: a few queries over the keys and values of one segment. */

import { floatBits } from '../numerics/exp.ts'
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { emitExp, emitExpConstants, emitExpData } from '../x64/exp-code.ts'
import { at, R8, R9, R10, R11, R12, RAX, RBP, RBX, RCX, RDI, RDX, RSI } from '../x64/registers.ts'
import {
  type AttentionShape,
  headBytes,
  KEY_BLOCK,
  largestOffset,
  partialBytes,
  SEGMENT,
  sumOffset,
  tileQueries,
} from './attention-shape.ts'

/** Of one query. */
export const SCORE_BYTES = 4 * SEGMENT
/** Vectors of sums side by side for each query, at most. */
const MOST_WIDE = 4
/** Of a loop over the numbers of a head. */
const UNROLL = 2

/** Where constants may begin: the vectors before are for the work. */
const FIRST_CONSTANT = 16
/** The score of a key that is not seen. */
const HIDDEN = floatBits(Number.NEGATIVE_INFINITY)
/** What the largest of scores starts from: where a query sees no key of the segment, the difference is to be infinite all the same. */
const SMALLEST = floatBits(-1e30)

export interface SegmentCode {
  /** For 1 to `tileQueries` queries. */
  readonly tiles: readonly Label[]
  readonly merge: Label
}

export function emitSegmentCode(code: Assembler, shape: AttentionShape): SegmentCode {
  const data = { places: code.label(), hidden: code.label(), exp: code.label() }
  code.align(64)
  code.bind(data.places)
  for (let i = 0; i < KEY_BLOCK; i++) code.int32(i)
  code.lanes.emitTable(data.hidden, [HIDDEN])
  emitExpData(code, data.exp)
  const tiles = Array.from({ length: tileQueries(code.isa) }, (_, i) =>
    emitTile(code, shape, { queries: i + 1, ...tiling(code, i + 1), ...data }),
  )
  return { tiles, merge: emitMerge(code, shape, data.exp) }
}

interface Tile {
  readonly queries: number
  /** Vectors of sums of each query. */
  readonly wide: number
  /** Where the vectors begin that are multiplied with all queries, `wide` of them; the sums are before them. */
  readonly shared: number
  /** 0 to 15. */
  readonly places: Label
  /** The score of a key that is not seen. */
  readonly hidden: Label
  readonly exp: Label
}

function tiling({ lanes: { vectors } }: Assembler, queries: number): { wide: number; shared: number } {
  const wide = Math.min(MOST_WIDE, Math.floor(vectors / (queries + 1)))
  return { wide, shared: vectors - wide }
}

/**
 * A function that makes a partial of each query. rsi: the queries, one after the other; r8, r9: the keys and the values of the
 * segment; rcx: how many of them, 1 or more; r10: the limits of the queries; r11: the first key by its number; rdx: where the
 * partials go; rdi: memory for the scores. Every number is made in the same way whatever stands beside it. Takes all other
 * registers but rsp and r13 to r15.
 */
function emitTile(code: Assembler, shape: AttentionShape, tile: Tile): Label {
  const entry = code.label()
  code.align(64)
  code.bind(entry)
  emitScores(code, shape, tile)
  emitSoftmax(code, shape, tile)
  emitWeightedSums(code, shape, tile)
  code.ret()
  return entry
}

/** Scores of all keys, block by block. Takes r8, r11. */
function emitScores(code: Assembler, shape: AttentionShape, tile: Tile): void {
  const single = code.label()
  const wide = code.label()
  const done = code.label()
  // rbx: blocks left; rbp: where their scores go
  emitBlockCount(code)
  code.mov(RBP, RDI)
  code.bind(wide)
  code.cmpNumber(RBX, tile.wide)
  code.jumpIf('less', single)
  emitBlocks(code, shape, { ...tile, blocks: tile.wide })
  code.jump(wide)
  code.bind(single)
  code.test(RBX, RBX)
  code.jumpIf('equal', done)
  emitBlocks(code, shape, { ...tile, blocks: 1 })
  code.jump(single)
  code.bind(done)
}

/** rbx: blocks that hold rcx keys. */
function emitBlockCount(code: Assembler): void {
  code.lea(RBX, at(RCX, KEY_BLOCK - 1))
  code.shr(RBX, Math.log2(KEY_BLOCK))
}

function emitBlocks(code: Assembler, shape: AttentionShape, tile: Tile & { blocks: number }): void {
  const { queries, blocks, shared } = tile
  const { lanes } = code
  const bytes = headBytes(shape)
  const blockBytes = KEY_BLOCK * bytes
  const next = code.label()
  const sum = (query: number, block: number): number => query * blocks + block
  for (let i = 0; i < queries * blocks; i++) lanes.zero(i)
  // rax: the queries; r12: numbers of the head left
  code.mov(RAX, RSI)
  code.movNumber(R12, shape.headDim)
  code.bind(next)
  for (let d = 0; d < UNROLL; d++) {
    for (let block = 0; block < blocks; block++) {
      lanes.load(shared + block, at(R8, block * blockBytes + d * 64))
    }
    for (let query = 0; query < queries; query++) {
      for (let block = 0; block < blocks; block++) {
        lanes.fmaBroadcast(sum(query, block), shared + block, at(RAX, query * bytes + d * 4))
      }
    }
  }
  code.addNumber(RAX, UNROLL * 4)
  code.addNumber(R8, UNROLL * 64)
  code.subNumber(R12, UNROLL)
  code.jumpIf('notEqual', next)
  code.addNumber(R8, (blocks - 1) * blockBytes)
  emitMasked(code, { ...tile, sum })
  code.addNumber(R11, blocks * KEY_BLOCK)
  code.addNumber(RBP, blocks * 64)
  code.subNumber(RBX, blocks)
}

/** Puts scores down; those of keys that a query does not see are infinitely small. */
function emitMasked(
  code: Assembler,
  tile: Tile & { readonly blocks: number; sum(query: number, block: number): number },
): void {
  const { queries, blocks, shared, places, hidden, sum } = tile
  const { lanes } = code
  const keys = shared
  for (let block = 0; block < blocks; block++) {
    code.leaLabel(RAX, places)
    code.lea(R12, at(R11, block * KEY_BLOCK))
    lanes.broadcastRegister(keys, R12)
    lanes.addInt(keys, keys, at(RAX))
    const [infinite] = lanes.useTable(hidden, 1, { first: shared + 1, base: RAX })
    for (let query = 0; query < queries; query++) {
      const values = sum(query, block)
      lanes.hide(values, { keys, limit: at(R10, 4 * query), hidden: infinite!, work: shared + 2 })
      lanes.store(at(RBP, query * SCORE_BYTES + block * 64), values)
    }
  }
}

/** Makes each score e to the power of it less the largest; these and their sum go to the partials. */
function emitSoftmax(code: Assembler, shape: AttentionShape, { queries, exp }: Tile): void {
  const [largest, sum, x, other, smallest] = [0, 1, 2, 3, 6] as const
  const { lanes } = code
  code.movNumber(RAX, SMALLEST)
  lanes.broadcastRegister(smallest, RAX)
  const constants = emitExpConstants(code, exp, FIRST_CONSTANT)
  for (let query = 0; query < queries; query++) {
    const partial = query * partialBytes(shape)
    const nextMax = code.label()
    const nextPower = code.label()
    code.lea(RBP, at(RDI, query * SCORE_BYTES))
    emitBlockCount(code)
    lanes.max(largest, smallest, smallest)
    code.bind(nextMax)
    lanes.max(largest, largest, at(RBP))
    code.addNumber(RBP, 64)
    code.subNumber(RBX, 1)
    code.jumpIf('notEqual', nextMax)
    lanes.fold(largest, other, (to, a, b) => lanes.max(to, a, b))
    lanes.store(at(RDX, partial + largestOffset(shape)), largest)
    code.lea(RBP, at(RDI, query * SCORE_BYTES))
    emitBlockCount(code)
    lanes.zero(sum)
    code.bind(nextPower)
    lanes.load(x, at(RBP))
    lanes.sub(x, x, largest)
    emitExp(code, { x, work: [4, 5], constants, isFalling: true })
    lanes.store(at(RBP), x)
    lanes.add(sum, sum, x)
    code.addNumber(RBP, 64)
    code.subNumber(RBX, 1)
    code.jumpIf('notEqual', nextPower)
    lanes.fold(sum, other, (to, a, b) => lanes.add(to, a, b))
    lanes.store(at(RDX, partial + sumOffset(shape)), sum)
  }
}

/** Values, each times the power of its key. */
function emitWeightedSums(
  code: Assembler,
  shape: AttentionShape,
  { queries, wide: most, shared }: Tile,
): void {
  const { lanes } = code
  const vectors = shape.headDim / 16
  for (let first = 0; first < vectors; first += most) {
    const wide = Math.min(most, vectors - first)
    const next = code.label()
    for (let i = 0; i < queries * wide; i++) lanes.zero(i)
    // rax: values; rbp: powers; rbx: keys left
    code.lea(RAX, at(R9, 64 * first))
    code.mov(RBP, RDI)
    code.mov(RBX, RCX)
    code.bind(next)
    for (let i = 0; i < wide; i++) lanes.load(shared + i, at(RAX, 64 * i))
    for (let query = 0; query < queries; query++) {
      for (let i = 0; i < wide; i++) {
        lanes.fmaBroadcast(query * wide + i, shared + i, at(RBP, query * SCORE_BYTES))
      }
    }
    code.addNumber(RAX, headBytes(shape))
    code.addNumber(RBP, 4)
    code.subNumber(RBX, 1)
    code.jumpIf('notEqual', next)
    for (let query = 0; query < queries; query++) {
      for (let i = 0; i < wide; i++) {
        lanes.store(at(RDX, query * partialBytes(shape) + 64 * (first + i)), query * wide + i)
      }
    }
  }
}

/** A function that adds the partial at rsi to that at rdi; both are of one query, that at rsi of keys further on. Takes rax. */
function emitMerge(code: Assembler, shape: AttentionShape, exp: Label): Label {
  const [largest, before, after, x] = [0, 1, 2, 3] as const
  const { lanes } = code
  const entry = code.label()
  code.align(64)
  code.bind(entry)
  const constants = emitExpConstants(code, exp, FIRST_CONSTANT)
  lanes.load(before, at(RDI, largestOffset(shape)))
  lanes.load(after, at(RSI, largestOffset(shape)))
  lanes.max(largest, before, after)
  lanes.store(at(RDI, largestOffset(shape)), largest)
  for (const each of [before, after]) {
    lanes.sub(each, each, largest)
    emitExp(code, { x: each, work: [4, 5], constants, isFalling: true })
  }
  const places = [sumOffset(shape), ...Array.from({ length: shape.headDim / 16 }, (_, i) => 64 * i)]
  for (const place of places) {
    lanes.load(x, at(RDI, place))
    lanes.mul(x, x, before)
    lanes.fma(x, after, at(RSI, place))
    lanes.store(at(RDI, place), x)
  }
  code.ret()
  return entry
}
