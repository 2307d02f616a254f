/** The tasks of attention: a segment of the keys for a single row; all keys for a few queries of several rows. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
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
  RDX,
  RSI,
  RSP,
} from '../x64/registers.ts'
import { JOB } from './attention-job.ts'
import {
  type AttentionShape,
  groupOf,
  headBytes,
  recordBytes,
  SEGMENT,
  sumOffset,
  tileQueries,
} from './attention-shape.ts'
import { SCORE_BYTES, type SegmentCode } from './segment-code.ts'

const SAVED = [RBX, RBP, R12, R13, R14, R15]

/** The frame of a task, on a multiple of 64: scores, records, and what is kept across calls. */
interface Frame {
  /** Records of all keys so far. */
  readonly state: number
  /** Of a segment. */
  readonly record: number
  readonly job: number
  /** The first key of the segment, by its number. */
  readonly first: number
  /** Keys of the segment. */
  readonly keys: number
  /** Where the limits of the queries are. */
  readonly limits: number
  /** Heads of keys, those left or those done. */
  readonly heads: number
  /** From the keys of all heads to those of this one. */
  readonly head: number
  /** Keys that one of the queries sees. */
  readonly most: number
  /** The first query by its number. */
  readonly query: number
  readonly stack: number
  readonly bytes: number
}

function frameOf({ isa }: Assembler, shape: AttentionShape): Frame {
  const size = tileQueries(isa)
  const state = size * SCORE_BYTES
  const record = state + size * recordBytes(shape)
  const start = record + size * recordBytes(shape)
  const [job, first, keys, limits, heads, head, most, query, stack] = Array.from(
    { length: 9 },
    (_, i) => start + 8 * i,
  ) as [number, number, number, number, number, number, number, number, number]
  return { state, record, job, first, keys, limits, heads, head, most, query, stack, bytes: start + 128 }
}

function emitEnter(code: Assembler, { bytes, stack, job }: Frame): void {
  for (const register of SAVED) code.push(register)
  code.lea(RAX, at(RSP, -bytes))
  code.shr(RAX, 6)
  code.imulNumber(RAX, RAX, 64)
  code.mov(RCX, RSP)
  code.mov(RSP, RAX)
  code.store(at(RSP, stack), RCX)
  code.store(at(RSP, job), RDI)
}

function emitLeave(code: Assembler, { stack }: Frame): void {
  code.load(RSP, at(RSP, stack))
  for (const register of SAVED.toReversed()) code.pop(register)
  code.vzeroupper()
  code.ret()
}

/** The queries of a group in tiles of nearly the same size. */
function rowTiles(shape: AttentionShape, most: number): number[] {
  const group = groupOf(shape)
  const size = Math.ceil(group / Math.ceil(group / most))
  return Array.from({ length: Math.ceil(group / size) }, (_, i) => Math.min(size, group - i * size))
}

/** A task, `void (job, index)`, for a single row: the records of one segment for all heads. */
export function emitRowTask(code: Assembler, shape: AttentionShape, segment: SegmentCode): Label {
  const frame = frameOf(code, shape)
  const entry = code.label()
  const next = code.label()
  const isWhole = code.label()
  code.bind(entry)
  emitEnter(code, frame)
  // r13: the first key, then the records; r14: where keys and values of a head begin; r15: queries
  code.imulNumber(R13, RSI, SEGMENT)
  code.store(at(RSP, frame.first), R13)
  code.load(RAX, at(RDI, JOB.limits))
  code.store(at(RSP, frame.limits), RAX)
  code.load(RCX, at(RDI, JOB.total))
  code.sub(RCX, R13)
  code.cmpNumber(RCX, SEGMENT)
  code.jumpIf('less', isWhole)
  code.movNumber(RCX, SEGMENT)
  code.bind(isWhole)
  code.store(at(RSP, frame.keys), RCX)
  code.imulNumber(R14, R13, headBytes(shape))
  code.imulNumber(R13, RSI, shape.heads * recordBytes(shape))
  code.load(RAX, at(RDI, JOB.records))
  code.add(R13, RAX)
  code.load(R15, at(RDI, JOB.queries))
  code.movNumber(RAX, shape.kvHeads)
  code.store(at(RSP, frame.heads), RAX)
  code.bind(next)
  for (const queries of rowTiles(shape, segment.tiles.length)) {
    emitTileArguments(code, frame)
    code.mov(RDX, R13)
    code.call(segment.tiles[queries - 1]!)
    code.addNumber(R13, queries * recordBytes(shape))
    code.addNumber(R15, queries * headBytes(shape))
  }
  code.load(RDI, at(RSP, frame.job))
  code.load(RAX, at(RDI, JOB.headStride))
  code.add(R14, RAX)
  code.load(RAX, at(RSP, frame.heads))
  code.subNumber(RAX, 1)
  code.store(at(RSP, frame.heads), RAX)
  code.jumpIf('notEqual', next)
  emitLeave(code, frame)
  return entry
}

/** What a tile takes, but for where its records go. */
function emitTileArguments(code: Assembler, frame: Frame): void {
  code.load(RDI, at(RSP, frame.job))
  code.load(R8, at(RDI, JOB.keys))
  code.add(R8, R14)
  code.load(R9, at(RDI, JOB.values))
  code.add(R9, R14)
  code.load(R10, at(RSP, frame.limits))
  code.load(R11, at(RSP, frame.first))
  code.load(RCX, at(RSP, frame.keys))
  code.mov(RSI, R15)
  code.mov(RDI, RSP)
}

/** A function of the job that merges the records of a single row, and makes the output of them. */
export function emitRowOutput(code: Assembler, shape: AttentionShape, segment: SegmentCode): Label {
  const entry = code.label()
  const nextHead = code.label()
  const nextSegment = code.label()
  const merged = code.label()
  const saved = [RBX, RBP, R12, R13, R14]
  code.bind(entry)
  for (const register of saved) code.push(register)
  // rbx: the job; rdi: records of the head; rbp: output; r12: heads left; r13: segments left
  code.mov(RBX, RDI)
  code.load(RDI, at(RBX, JOB.records))
  code.load(RBP, at(RBX, JOB.output))
  code.movNumber(R12, shape.heads)
  code.bind(nextHead)
  code.load(R13, at(RBX, JOB.segments))
  code.mov(RSI, RDI)
  code.bind(nextSegment)
  code.subNumber(R13, 1)
  code.jumpIf('equal', merged)
  code.addNumber(RSI, shape.heads * recordBytes(shape))
  code.call(segment.merge)
  code.jump(nextSegment)
  code.bind(merged)
  emitOutputOf(code, shape, { record: RDI, to: RBP })
  code.addNumber(RDI, recordBytes(shape))
  code.addNumber(RBP, headBytes(shape))
  code.subNumber(R12, 1)
  code.jumpIf('notEqual', nextHead)
  for (const register of saved.toReversed()) code.pop(register)
  code.vzeroupper()
  code.ret()
  return entry
}

/** The sum of the values over that of the powers. */
function emitOutputOf(
  code: Assembler,
  shape: AttentionShape,
  { record, to }: { record: number; to: number },
): void {
  const { lanes } = code
  lanes.load(0, at(record, sumOffset(shape)))
  for (let i = 0; i < shape.headDim / 16; i++) {
    lanes.load(1, at(record, 64 * i))
    lanes.div(1, 1, 0)
    lanes.store(at(to, 64 * i), 1)
  }
}

/** A task, `void (job, index)`: a tile of queries of every head of keys, over all keys that one of them sees. */
export function emitRowsTask(code: Assembler, shape: AttentionShape, segment: SegmentCode): Label {
  const frame = frameOf(code, shape)
  const entry = code.label()
  const nextHead = code.label()
  code.bind(entry)
  emitEnter(code, frame)
  emitQueriesOf(code, shape, frame)
  code.movNumber(RAX, 0)
  code.store(at(RSP, frame.heads), RAX)
  code.store(at(RSP, frame.head), RAX)
  code.bind(nextHead)
  emitHeadOfRows(code, shape, { frame, segment })
  emitOutputs(code, shape, frame)
  code.load(RDI, at(RSP, frame.job))
  code.load(RAX, at(RSP, frame.head))
  code.load(RCX, at(RDI, JOB.headStride))
  code.add(RAX, RCX)
  code.store(at(RSP, frame.head), RAX)
  code.load(RAX, at(RDI, JOB.rows))
  code.imulNumber(RAX, RAX, groupOf(shape) * headBytes(shape))
  code.add(R15, RAX)
  code.load(RAX, at(RSP, frame.heads))
  code.addNumber(RAX, 1)
  code.store(at(RSP, frame.heads), RAX)
  code.cmpNumber(RAX, shape.kvHeads)
  code.jumpIf('notEqual', nextHead)
  emitLeave(code, frame)
  return entry
}

/** r13: how many queries task rsi has; r15: where they are; their limits, the largest of them last. */
function emitQueriesOf(code: Assembler, shape: AttentionShape, frame: Frame): void {
  const isWhole = code.label()
  code.imulNumber(RAX, RSI, tileQueries(code.isa))
  code.store(at(RSP, frame.query), RAX)
  code.load(R13, at(RDI, JOB.rows))
  code.imulNumber(R13, R13, groupOf(shape))
  code.sub(R13, RAX)
  code.cmpNumber(R13, tileQueries(code.isa))
  code.jumpIf('less', isWhole)
  code.movNumber(R13, tileQueries(code.isa))
  code.bind(isWhole)
  code.load(R15, at(RDI, JOB.queries))
  code.imulNumber(RCX, RAX, headBytes(shape))
  code.add(R15, RCX)
  code.imulNumber(RAX, RAX, 4)
  code.load(RCX, at(RDI, JOB.limits))
  code.add(RAX, RCX)
  code.store(at(RSP, frame.limits), RAX)
  code.imulNumber(RCX, R13, 4)
  code.add(RAX, RCX)
  code.loadWord(RAX, at(RAX, -4))
  code.store(at(RSP, frame.most), RAX)
}

/** Makes the records of the queries, segment by segment. */
function emitHeadOfRows(
  code: Assembler,
  shape: AttentionShape,
  { frame, segment }: { frame: Frame; segment: SegmentCode },
): void {
  const next = code.label()
  const isWhole = code.label()
  const isFirst = code.label()
  const isMerged = code.label()
  code.load(R14, at(RSP, frame.head))
  code.movNumber(RAX, 0)
  code.store(at(RSP, frame.first), RAX)
  code.bind(next)
  code.load(RCX, at(RSP, frame.most))
  code.load(RAX, at(RSP, frame.first))
  code.sub(RCX, RAX)
  code.cmpNumber(RCX, SEGMENT)
  code.jumpIf('less', isWhole)
  code.movNumber(RCX, SEGMENT)
  code.bind(isWhole)
  code.store(at(RSP, frame.keys), RCX)
  code.lea(RDX, at(RSP, frame.state))
  code.test(RAX, RAX)
  code.jumpIf('equal', isFirst)
  code.lea(RDX, at(RSP, frame.record))
  code.bind(isFirst)
  emitTileArguments(code, frame)
  emitTileCall(code, segment.tiles)
  code.load(RAX, at(RSP, frame.first))
  code.test(RAX, RAX)
  code.jumpIf('equal', isMerged)
  emitMerges(code, shape, { frame, merge: segment.merge })
  code.bind(isMerged)
  code.addNumber(R14, SEGMENT * headBytes(shape))
  code.load(RAX, at(RSP, frame.first))
  code.addNumber(RAX, SEGMENT)
  code.store(at(RSP, frame.first), RAX)
  code.load(RCX, at(RSP, frame.most))
  code.cmp(RAX, RCX)
  code.jumpIf('less', next)
}

/** The tile of r13 queries. */
function emitTileCall(code: Assembler, tiles: readonly Label[]): void {
  const done = code.label()
  for (const [i, tile] of tiles.entries()) {
    const other = code.label()
    code.cmpNumber(R13, i + 1)
    code.jumpIf('notEqual', other)
    code.call(tile)
    code.jump(done)
    code.bind(other)
  }
  code.bind(done)
}

function emitMerges(
  code: Assembler,
  shape: AttentionShape,
  { frame, merge }: { frame: Frame; merge: Label },
): void {
  const next = code.label()
  code.lea(RDI, at(RSP, frame.state))
  code.lea(RSI, at(RSP, frame.record))
  code.mov(RBX, R13)
  code.bind(next)
  code.call(merge)
  code.addNumber(RDI, recordBytes(shape))
  code.addNumber(RSI, recordBytes(shape))
  code.subNumber(RBX, 1)
  code.jumpIf('notEqual', next)
}

/** From the records to the rows and heads that the queries are of. */
function emitOutputs(code: Assembler, shape: AttentionShape, frame: Frame): void {
  const group = groupOf(shape)
  const bytes = headBytes(shape)
  const next = code.label()
  // rdi: the record; r8: its limit; r9: the query by its number; r10: before the first row; r11: output of the head
  code.load(RAX, at(RSP, frame.job))
  code.load(R10, at(RAX, JOB.past))
  code.load(R11, at(RAX, JOB.output))
  code.load(RAX, at(RSP, frame.heads))
  code.imulNumber(RAX, RAX, group * bytes)
  code.add(R11, RAX)
  code.lea(RDI, at(RSP, frame.state))
  code.load(R8, at(RSP, frame.limits))
  code.load(R9, at(RSP, frame.query))
  code.mov(RBX, R13)
  code.bind(next)
  // The row: it sees one key more than are before it.
  code.loadWord(RAX, at(R8))
  code.subNumber(RAX, 1)
  code.sub(RAX, R10)
  code.imulNumber(RCX, RAX, group)
  code.mov(RSI, R9)
  code.sub(RSI, RCX)
  code.imulNumber(RSI, RSI, bytes)
  code.imulNumber(RAX, RAX, shape.heads * bytes)
  code.add(RAX, RSI)
  code.add(RAX, R11)
  emitOutputOf(code, shape, { record: RDI, to: RAX })
  code.addNumber(RDI, recordBytes(shape))
  code.addNumber(R8, 4)
  code.addNumber(R9, 1)
  code.subNumber(RBX, 1)
  code.jumpIf('notEqual', next)
}
