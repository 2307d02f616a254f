/** The sequences of a run: what is said of them is checked, then written out for each row and each tile of queries. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { at, R8, R9, R10, R11, R13, R14, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP } from '../x64/registers.ts'
import { JOB, PLACE, PLACE_BYTES, TILE, TILE_BYTES } from './attention-job.ts'
import { type AttentionShape, groupOf, SEGMENT, tileQueries } from './attention-shape.ts'

const PART_BYTES = 8
const PAGE_SHIFT = Math.log2(SEGMENT)

/**
 * Goes to `isWrong` unless the parts, one after another, have the rbx rows of the run, each one or more; their positions have
 * angles; and the table has pages for all their tokens, each one of the pool. Leaves how many pages the last part has in the
 * job. rsp: the job. Takes all registers but rbx, rbp and r12 and above, and r13.
 */
export function emitPartChecks(code: Assembler, isWrong: Label): void {
  const nextPart = code.label()
  const nextPage = code.label()
  const done = code.label()
  // r8: the part; r9: parts left; r10: pages; r11: pages left; rdx: rows left; rsi: pages of the pool
  emitFirstPart(code)
  code.load(R11, at(RSP, JOB.pageCount))
  code.load(RSI, at(RSP, JOB.poolPages))
  code.mov(RDX, RBX)
  code.movNumber(R13, 0)
  code.bind(nextPart)
  code.test(R9, R9)
  code.jumpIf('equal', done)
  code.loadWord(RAX, at(R8))
  code.loadWord(RCX, at(R8, 4))
  code.test(RAX, RAX)
  code.jumpIf('equal', isWrong)
  code.cmp(RDX, RAX)
  code.jumpIf('below', isWrong)
  code.sub(RDX, RAX)
  // Read as unsigned: a negative number of tokens before is more than any table has.
  code.add(RCX, RAX)
  code.load(RDI, at(RSP, JOB.positions))
  code.cmp(RDI, RCX)
  code.jumpIf('less', isWrong)
  emitPageCount(code, RCX)
  code.mov(R13, RCX)
  code.cmp(R11, RCX)
  code.jumpIf('less', isWrong)
  code.sub(R11, RCX)
  code.bind(nextPage)
  code.loadWord(RAX, at(R10))
  code.cmp(RAX, RSI)
  code.jumpIf('greaterOrEqual', isWrong)
  code.addNumber(R10, 4)
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', nextPage)
  code.addNumber(R8, PART_BYTES)
  code.subNumber(R9, 1)
  code.jump(nextPart)
  code.bind(done)
  code.test(RDX, RDX)
  code.jumpIf('notEqual', isWrong)
  code.store(at(RSP, JOB.segments), R13)
}

function emitFirstPart(code: Assembler): void {
  code.load(R8, at(RSP, JOB.parts))
  code.load(R9, at(RSP, JOB.partCount))
  code.load(R10, at(RSP, JOB.pages))
}

/** Makes a number of tokens that of their pages. */
function emitPageCount(code: Assembler, tokens: number): void {
  code.addNumber(tokens, SEGMENT - 1)
  code.shr(tokens, PAGE_SHIFT)
}

/** Writes the places of all rows and, of several, the tiles. rsp: the job; rbx: rows. Takes all registers but rbx and r12. */
export function emitPlaces(code: Assembler, shape: AttentionShape): void {
  const nextPart = code.label()
  const isSingle = code.label()
  const done = code.label()
  // r8: the part; r9: parts left; r10: its pages; r11: places; rdi: tiles; rdx: the first row; rcx: rows; rsi: position
  emitFirstPart(code)
  code.load(R11, at(RSP, JOB.places))
  code.load(RDI, at(RSP, JOB.tiles))
  code.movNumber(RDX, 0)
  code.bind(nextPart)
  code.test(R9, R9)
  code.jumpIf('equal', done)
  code.loadWord(RCX, at(R8))
  code.loadWord(RSI, at(R8, 4))
  code.cmpNumber(RBX, 1)
  code.jumpIf('equal', isSingle)
  emitTiles(code, shape)
  code.bind(isSingle)
  code.add(RDX, RCX)
  emitRowPlaces(code)
  emitPageCount(code, RSI)
  code.imulNumber(RSI, RSI, 4)
  code.add(R10, RSI)
  code.addNumber(R8, PART_BYTES)
  code.subNumber(R9, 1)
  code.jump(nextPart)
  code.bind(done)
  code.load(RAX, at(RSP, JOB.tiles))
  code.sub(RDI, RAX)
  code.shr(RDI, Math.log2(TILE_BYTES))
  code.store(at(RSP, JOB.tileCount), RDI)
}

/** The tiles of a part. */
function emitTiles(code: Assembler, shape: AttentionShape): void {
  const next = code.label()
  const isWhole = code.label()
  // r13: queries left; r14: the first one; rbp: from a row to its position
  code.imulNumber(R13, RCX, groupOf(shape))
  code.imulNumber(R14, RDX, groupOf(shape))
  code.mov(RBP, RSI)
  code.sub(RBP, RDX)
  code.bind(next)
  code.mov(RAX, R13)
  code.cmpNumber(RAX, tileQueries(code.isa))
  code.jumpIf('less', isWhole)
  code.movNumber(RAX, tileQueries(code.isa))
  code.bind(isWhole)
  code.store(at(RDI, TILE.pages), R10)
  code.store(at(RDI, TILE.query), R14)
  code.store(at(RDI, TILE.count), RAX)
  code.store(at(RDI, TILE.origin), RBP)
  code.addNumber(RDI, TILE_BYTES)
  code.add(R14, RAX)
  code.sub(R13, RAX)
  code.jumpIf('notEqual', next)
}

/** The places of the rows of a part; rsi becomes the position after the last. */
function emitRowPlaces(code: Assembler): void {
  const next = code.label()
  code.bind(next)
  // rax: the page by its place in the table
  code.mov(RAX, RSI)
  code.shr(RAX, PAGE_SHIFT)
  code.imulNumber(R13, RAX, 4)
  code.add(R13, R10)
  code.loadWord(R13, at(R13))
  code.imul(R13, at(RSP, JOB.pageBytes))
  code.load(RBP, at(RSP, JOB.pool))
  code.add(R13, RBP)
  code.store(at(R11, PLACE.page), R13)
  code.imulNumber(RAX, RAX, SEGMENT)
  code.mov(RBP, RSI)
  code.sub(RBP, RAX)
  code.storeWord(at(R11, PLACE.position), RSI)
  code.storeWord(at(R11, PLACE.inPage), RBP)
  code.addNumber(R11, PLACE_BYTES)
  code.addNumber(RSI, 1)
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', next)
}
