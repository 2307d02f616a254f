/** The tasks of attention: a segment of the keys for a single row; all keys of a head for a few queries of several rows. */
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
import { JOB, TILE, TILE_BYTES } from './attention-job.ts'
import {
  type AttentionShape,
  groupOf,
  headBytes,
  headPageBytes,
  partialBytes,
  SEGMENT,
  sumOffset,
  tileQueries,
} from './attention-shape.ts'
import { SCORE_BYTES, type SegmentCode } from './segment-code.ts'

const SAVED = [RBX, RBP, R12, R13, R14, R15]

/** The frame of a task, on a multiple of 64: scores, partials, and what is kept across calls. */
interface Frame {
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

function frameOf({ isa }: Assembler, shape: AttentionShape): Frame {
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

/** A task, `void (job, index)`, for a single row: the partials of one segment for all heads. */
export function emitRowTask(code: Assembler, shape: AttentionShape, segment: SegmentCode): Label {
  const frame = frameOf(code, shape)
  const entry = code.label()
  const next = code.label()
  const isWhole = code.label()
  code.bind(entry)
  emitEnter(code, frame)
  // r13: the first key, then the partials; r14: keys and values of the head; r15: queries
  code.imulNumber(R13, RSI, SEGMENT)
  code.store(at(RSP, frame.first), R13)
  code.load(RAX, at(RDI, JOB.limits))
  code.store(at(RSP, frame.limits), RAX)
  // All heads see alike: the limit of one is how many keys there are.
  code.loadWord(RCX, at(RAX))
  code.sub(RCX, R13)
  code.cmpNumber(RCX, SEGMENT)
  code.jumpIf('less', isWhole)
  code.movNumber(RCX, SEGMENT)
  code.bind(isWhole)
  code.store(at(RSP, frame.keys), RCX)
  code.imulNumber(R14, RSI, 4)
  code.load(RAX, at(RDI, JOB.pages))
  code.add(R14, RAX)
  emitPageAt(code, R14)
  code.imulNumber(R13, RSI, shape.heads * partialBytes(shape))
  code.load(RAX, at(RDI, JOB.partials))
  code.add(R13, RAX)
  code.load(R15, at(RDI, JOB.queries))
  code.movNumber(RAX, shape.kvHeads)
  code.store(at(RSP, frame.heads), RAX)
  code.bind(next)
  for (const queries of rowTiles(shape, segment.tiles.length)) {
    emitTileArguments(code, shape, frame)
    code.mov(RDX, R13)
    code.call(segment.tiles[queries - 1]!)
    code.addNumber(R13, queries * partialBytes(shape))
    code.addNumber(R15, queries * headBytes(shape))
  }
  code.addNumber(R14, headPageBytes(shape))
  code.load(RAX, at(RSP, frame.heads))
  code.subNumber(RAX, 1)
  code.store(at(RSP, frame.heads), RAX)
  code.jumpIf('notEqual', next)
  emitLeave(code, frame)
  return entry
}

/** Makes the place in the table what this layer has of the page. rdi: the job. Takes rax. */
function emitPageAt(code: Assembler, register: number): void {
  code.loadWord(register, at(register))
  code.imul(register, at(RDI, JOB.pageBytes))
  code.load(RAX, at(RDI, JOB.pool))
  code.add(register, RAX)
}

/** What a tile takes, but for where its partials go. r14: keys and values of the head. */
function emitTileArguments(code: Assembler, shape: AttentionShape, frame: Frame): void {
  code.mov(R8, R14)
  code.lea(R9, at(R14, headPageBytes(shape) / 2))
  code.load(R10, at(RSP, frame.limits))
  code.load(R11, at(RSP, frame.first))
  code.load(RCX, at(RSP, frame.keys))
  code.mov(RSI, R15)
  code.mov(RDI, RSP)
}

/** A function of the job that merges the partials of a single row, and makes the output of them. */
export function emitRowOutput(code: Assembler, shape: AttentionShape, segment: SegmentCode): Label {
  const entry = code.label()
  const nextHead = code.label()
  const nextSegment = code.label()
  const merged = code.label()
  const saved = [RBX, RBP, R12, R13, R14]
  code.bind(entry)
  for (const register of saved) code.push(register)
  // rbx: the job; rdi: partials of the head; rbp: output; r12: heads left; r13: segments left
  code.mov(RBX, RDI)
  code.load(RDI, at(RBX, JOB.partials))
  code.load(RBP, at(RBX, JOB.output))
  code.movNumber(R12, shape.heads)
  code.bind(nextHead)
  code.load(R13, at(RBX, JOB.segments))
  code.mov(RSI, RDI)
  code.bind(nextSegment)
  code.subNumber(R13, 1)
  code.jumpIf('equal', merged)
  code.addNumber(RSI, shape.heads * partialBytes(shape))
  code.call(segment.merge)
  code.jump(nextSegment)
  code.bind(merged)
  emitOutputOf(code, shape, { partial: RDI, to: RBP })
  code.addNumber(RDI, partialBytes(shape))
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

/** A task, `void (job, index)`: a tile of queries of one head of keys, over all keys that one of them sees. */
export function emitTileTask(code: Assembler, shape: AttentionShape, segment: SegmentCode): Label {
  const frame = frameOf(code, shape)
  const entry = code.label()
  code.bind(entry)
  emitEnter(code, frame)
  emitTileOf(code, shape, frame)
  emitSegments(code, shape, { frame, segment })
  emitOutputs(code, shape, frame)
  emitLeave(code, frame)
  return entry
}

/** r13: how many queries task rsi has; r15: where they are; their limits, the largest of them last. rdi: the job. */
function emitTileOf(code: Assembler, shape: AttentionShape, frame: Frame): void {
  const nextHead = code.label()
  const found = code.label()
  // Tasks are the tiles of the first head of keys, then those of the second, and so on.
  code.movNumber(RAX, 0)
  code.load(RCX, at(RDI, JOB.tileCount))
  code.bind(nextHead)
  code.cmp(RSI, RCX)
  code.jumpIf('less', found)
  code.sub(RSI, RCX)
  code.addNumber(RAX, 1)
  code.jump(nextHead)
  code.bind(found)
  code.store(at(RSP, frame.heads), RAX)
  code.imulNumber(RCX, RAX, headPageBytes(shape))
  code.store(at(RSP, frame.head), RCX)
  code.load(R15, at(RDI, JOB.rows))
  code.imulNumber(R15, R15, groupOf(shape))
  code.imul(R15, RAX)
  // r8: the tile; rax: its first query
  code.imulNumber(R8, RSI, TILE_BYTES)
  code.load(RAX, at(RDI, JOB.tiles))
  code.add(R8, RAX)
  for (const field of ['pages', 'origin', 'query'] as const) {
    code.load(RAX, at(R8, TILE[field]))
    code.store(at(RSP, frame[field]), RAX)
  }
  code.load(R13, at(R8, TILE.count))
  code.add(R15, RAX)
  code.imulNumber(R15, R15, headBytes(shape))
  code.load(RCX, at(RDI, JOB.queries))
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

/** Makes the partials of the queries, segment by segment. */
function emitSegments(
  code: Assembler,
  shape: AttentionShape,
  { frame, segment }: { frame: Frame; segment: SegmentCode },
): void {
  const next = code.label()
  const isWhole = code.label()
  const isFirst = code.label()
  const isMerged = code.label()
  code.movNumber(RAX, 0)
  code.store(at(RSP, frame.first), RAX)
  code.bind(next)
  emitPageOfSegment(code, frame)
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
  code.lea(RDX, at(RSP, frame.partial))
  code.bind(isFirst)
  emitTileArguments(code, shape, frame)
  emitTileCall(code, segment.tiles)
  code.load(RAX, at(RSP, frame.first))
  code.test(RAX, RAX)
  code.jumpIf('equal', isMerged)
  emitMerges(code, shape, { frame, merge: segment.merge })
  code.bind(isMerged)
  code.load(RAX, at(RSP, frame.first))
  code.addNumber(RAX, SEGMENT)
  code.store(at(RSP, frame.first), RAX)
  code.load(RCX, at(RSP, frame.most))
  code.cmp(RAX, RCX)
  code.jumpIf('less', next)
}

/** r14: keys and values of the head in the next page of the table. Takes rax, rdi. */
function emitPageOfSegment(code: Assembler, frame: Frame): void {
  code.load(RDI, at(RSP, frame.job))
  code.load(R14, at(RSP, frame.pages))
  code.lea(RAX, at(R14, 4))
  code.store(at(RSP, frame.pages), RAX)
  emitPageAt(code, R14)
  code.load(RAX, at(RSP, frame.head))
  code.add(R14, RAX)
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
  code.lea(RSI, at(RSP, frame.partial))
  code.mov(RBX, R13)
  code.bind(next)
  code.call(merge)
  code.addNumber(RDI, partialBytes(shape))
  code.addNumber(RSI, partialBytes(shape))
  code.subNumber(RBX, 1)
  code.jumpIf('notEqual', next)
}

/** From the partials to the rows and heads that the queries are of. */
function emitOutputs(code: Assembler, shape: AttentionShape, frame: Frame): void {
  const group = groupOf(shape)
  const bytes = headBytes(shape)
  const next = code.label()
  // rdi: the partial; r8: its limit; r9: the query by its number; r10: from a row to its position; r11: output of the head
  code.load(RAX, at(RSP, frame.job))
  code.load(R10, at(RSP, frame.origin))
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
  emitOutputOf(code, shape, { partial: RDI, to: RAX })
  code.addNumber(RDI, partialBytes(shape))
  code.addNumber(R8, 4)
  code.addNumber(R9, 1)
  code.subNumber(RBX, 1)
  code.jumpIf('notEqual', next)
}
