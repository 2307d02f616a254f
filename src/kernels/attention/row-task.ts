/** Attention of a single row: a task for each segment of the keys, and what makes the output of them. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { at, R12, R13, R14, R15, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP } from '../x64/registers.ts'
import { JOB } from './attention-job.ts'
import {
  type AttentionShape,
  groupOf,
  headBytes,
  headPageBytes,
  partialBytes,
  SEGMENT,
} from './attention-shape.ts'
import type { SegmentCode } from './segment-code.ts'
import { emitEnter, emitLeave, emitOutputOf, emitPageAt, emitTileArguments, frameOf } from './task-frame.ts'

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

/** The queries of a group in tiles of nearly the same size. */
function rowTiles(shape: AttentionShape, most: number): number[] {
  const group = groupOf(shape)
  const size = Math.ceil(group / Math.ceil(group / most))
  return Array.from({ length: Math.ceil(group / size) }, (_, i) => Math.min(size, group - i * size))
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
