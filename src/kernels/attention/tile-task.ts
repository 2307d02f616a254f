/** Attention of several rows: a task for a few queries of a head, over all keys that one of them sees. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { at, R8, R9, R10, R11, R13, R14, R15, RAX, RBX, RCX, RDI, RDX, RSI, RSP } from '../x64/registers.ts'
import { JOB, TILE, TILE_BYTES } from './attention-job.ts'
import {
  type AttentionShape,
  groupOf,
  headBytes,
  headPageBytes,
  partialBytes,
  SEGMENT,
} from './attention-shape.ts'
import type { SegmentCode } from './segment-code.ts'
import {
  emitEnter,
  emitLeave,
  emitOutputOf,
  emitPageAt,
  emitTileArguments,
  type Frame,
  frameOf,
} from './task-frame.ts'

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
