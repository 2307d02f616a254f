/** The innermost part of attention: a few queries over the keys and values of one segment. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { EXP_CONSTANTS, emitExp, emitExpConstants, emitExpData, floatBits } from '../x64/exp-code.ts'
import { emitFold } from '../x64/fold-code.ts'
import { at, R8, R9, R10, R11, R12, RAX, RBP, RBX, RCX, RDI, RDX, RSI } from '../x64/registers.ts'
import {
  type AttentionShape,
  headBytes,
  KEY_BLOCK,
  largestOffset,
  recordBytes,
  SEGMENT,
  sumOffset,
  TILE_QUERIES,
} from './attention-shape.ts'

/** Of one query. */
export const SCORE_BYTES = 4 * SEGMENT
/** Vectors of sums side by side for each query. */
const WIDE = 4
/** Where the vectors begin that are multiplied with all queries; the sums are before them. */
const SHARED = 28
/** Of a loop over the numbers of a head. */
const UNROLL = 2

const LIMIT = 28
const KEYS = 29
const HIDDEN = 30
const MASK = 1

const EXP = 16
const SMALLEST = EXP + EXP_CONSTANTS

export interface SegmentCode {
  /** For 1 to `TILE_QUERIES` queries. */
  readonly tiles: readonly Label[]
  readonly merge: Label
}

export function emitSegmentCode(code: Assembler, shape: AttentionShape): SegmentCode {
  const lanes = code.label()
  const exp = code.label()
  code.align(64)
  code.bind(lanes)
  for (let i = 0; i < KEY_BLOCK; i++) code.int32(i)
  emitExpData(code, exp)
  const tiles = Array.from({ length: TILE_QUERIES }, (_, i) =>
    emitTile(code, shape, { queries: i + 1, lanes, exp }),
  )
  return { tiles, merge: emitMerge(code, shape, exp) }
}

interface Tile {
  readonly queries: number
  /** 0 to 15. */
  readonly lanes: Label
  readonly exp: Label
}

/**
 * A function that makes a record of each query. rsi: the queries, one after the other; r8, r9: the keys and the values of the
 * segment; rcx: how many of them, 1 or more; r10: the limits of the queries; r11: the first key by its number; rdx: where the
 * records go; rdi: memory for the scores. Every number is made in the same way whatever stands beside it. Takes all other
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
  code.cmpNumber(RBX, WIDE)
  code.jumpIf('less', single)
  emitBlocks(code, shape, { ...tile, blocks: WIDE })
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

function emitBlocks(
  code: Assembler,
  shape: AttentionShape,
  { queries, blocks, lanes }: Tile & { blocks: number },
): void {
  const bytes = headBytes(shape)
  const blockBytes = KEY_BLOCK * bytes
  const next = code.label()
  const sum = (query: number, block: number): number => query * blocks + block
  for (let i = 0; i < queries * blocks; i++) code.vpxord(i, i, i)
  // rax: the queries; r12: numbers of the head left
  code.mov(RAX, RSI)
  code.movNumber(R12, shape.headDim)
  code.bind(next)
  for (let d = 0; d < UNROLL; d++) {
    for (let block = 0; block < blocks; block++) {
      code.vmovups(SHARED + block, at(R8, block * blockBytes + d * 64))
    }
    for (let query = 0; query < queries; query++) {
      for (let block = 0; block < blocks; block++) {
        code.vfmadd231psBroadcast(sum(query, block), SHARED + block, at(RAX, query * bytes + d * 4))
      }
    }
  }
  code.addNumber(RAX, UNROLL * 4)
  code.addNumber(R8, UNROLL * 64)
  code.subNumber(R12, UNROLL)
  code.jumpIf('notEqual', next)
  code.addNumber(R8, (blocks - 1) * blockBytes)
  emitMasked(code, { queries, blocks, lanes, sum })
  code.addNumber(R11, blocks * KEY_BLOCK)
  code.addNumber(RBP, blocks * 64)
  code.subNumber(RBX, blocks)
}

/** Puts scores down; those of keys that a query does not see are infinitely small. */
function emitMasked(
  code: Assembler,
  {
    queries,
    blocks,
    lanes,
    sum,
  }: { queries: number; blocks: number; lanes: Label; sum(query: number, block: number): number },
): void {
  code.movNumber(RAX, floatBits(Number.NEGATIVE_INFINITY))
  code.vpbroadcastdRegister(HIDDEN, RAX)
  code.leaLabel(RAX, lanes)
  for (let block = 0; block < blocks; block++) {
    code.lea(R12, at(R11, block * KEY_BLOCK))
    code.vpbroadcastdRegister(KEYS, R12)
    code.vpaddd(KEYS, KEYS, at(RAX))
    for (let query = 0; query < queries; query++) {
      code.vpbroadcastd(LIMIT, at(R10, 4 * query))
      code.vpcmpgtd(MASK, LIMIT, KEYS)
      code.vblendmps(LIMIT, MASK, HIDDEN, sum(query, block))
      code.vmovupsStore(at(RBP, query * SCORE_BYTES + block * 64), LIMIT)
    }
  }
}

/** Makes each score e to the power of it less the largest; these and their sum go to the records. */
function emitSoftmax(code: Assembler, shape: AttentionShape, { queries, exp }: Tile): void {
  const [largest, sum, x, other] = [0, 1, 2, 3] as const
  emitExpConstants(code, exp, EXP)
  code.movNumber(RAX, floatBits(-1e30))
  code.vpbroadcastdRegister(SMALLEST, RAX)
  for (let query = 0; query < queries; query++) {
    const record = query * recordBytes(shape)
    const nextMax = code.label()
    const nextPower = code.label()
    code.lea(RBP, at(RDI, query * SCORE_BYTES))
    emitBlockCount(code)
    // Where a query sees no key of the segment, the difference is to be infinite all the same.
    code.vmaxps(largest, SMALLEST, SMALLEST)
    code.bind(nextMax)
    code.vmaxps(largest, largest, at(RBP))
    code.addNumber(RBP, 64)
    code.subNumber(RBX, 1)
    code.jumpIf('notEqual', nextMax)
    emitFold(code, largest, other, (a, b) => code.vmaxps(a, a, b))
    code.vmovupsStore(at(RDX, record + largestOffset(shape)), largest)
    code.lea(RBP, at(RDI, query * SCORE_BYTES))
    emitBlockCount(code)
    code.vpxord(sum, sum, sum)
    code.bind(nextPower)
    code.vmovups(x, at(RBP))
    code.vsubps(x, x, largest)
    emitExp(code, { x, work: [4, 5], constants: EXP })
    code.vmovupsStore(at(RBP), x)
    code.vaddps(sum, sum, x)
    code.addNumber(RBP, 64)
    code.subNumber(RBX, 1)
    code.jumpIf('notEqual', nextPower)
    emitFold(code, sum, other, (a, b) => code.vaddps(a, a, b))
    code.vmovupsStore(at(RDX, record + sumOffset(shape)), sum)
  }
}

/** Values, each times the power of its key. */
function emitWeightedSums(code: Assembler, shape: AttentionShape, { queries }: Tile): void {
  const vectors = shape.headDim / 16
  for (let first = 0; first < vectors; first += WIDE) {
    const wide = Math.min(WIDE, vectors - first)
    const next = code.label()
    for (let i = 0; i < queries * wide; i++) code.vpxord(i, i, i)
    // rax: values; rbp: powers; rbx: keys left
    code.lea(RAX, at(R9, 64 * first))
    code.mov(RBP, RDI)
    code.mov(RBX, RCX)
    code.bind(next)
    for (let i = 0; i < wide; i++) code.vmovups(SHARED + i, at(RAX, 64 * i))
    for (let query = 0; query < queries; query++) {
      for (let i = 0; i < wide; i++) {
        code.vfmadd231psBroadcast(query * wide + i, SHARED + i, at(RBP, query * SCORE_BYTES))
      }
    }
    code.addNumber(RAX, headBytes(shape))
    code.addNumber(RBP, 4)
    code.subNumber(RBX, 1)
    code.jumpIf('notEqual', next)
    for (let query = 0; query < queries; query++) {
      for (let i = 0; i < wide; i++) {
        code.vmovupsStore(at(RDX, query * recordBytes(shape) + 64 * (first + i)), query * wide + i)
      }
    }
  }
}

/** A function that adds the record at rsi to that at rdi; both are of one query, that at rsi of keys further on. Takes rax. */
function emitMerge(code: Assembler, shape: AttentionShape, exp: Label): Label {
  const [largest, before, after, x] = [0, 1, 2, 3] as const
  const entry = code.label()
  code.align(64)
  code.bind(entry)
  emitExpConstants(code, exp, EXP)
  code.vmovups(before, at(RDI, largestOffset(shape)))
  code.vmovups(after, at(RSI, largestOffset(shape)))
  code.vmaxps(largest, before, after)
  code.vmovupsStore(at(RDI, largestOffset(shape)), largest)
  for (const each of [before, after]) {
    code.vsubps(each, each, largest)
    emitExp(code, { x: each, work: [4, 5], constants: EXP })
  }
  const places = [sumOffset(shape), ...Array.from({ length: shape.headDim / 16 }, (_, i) => 64 * i)]
  for (const place of places) {
    code.vmovups(x, at(RDI, place))
    code.vmulps(x, x, before)
    code.vfmadd231ps(x, after, at(RSI, place))
    code.vmovupsStore(at(RDI, place), x)
  }
  code.ret()
  return entry
}
