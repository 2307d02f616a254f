/**
 * A model without weights that runs many texts at once: what follows depends on every id before it, and on nothing else.
 * What it keeps of an id is a number made of that id and of the number before it, in pages as keys and values are: a page
 * that is of another text, was freed too early or was written twice shows in all that follows.
 */
import type { Backend, Numerics, Part, Rows, Runner } from '../../src/backend/backend.ts'
import { type KvPool, type KvSequence, PAGE, type Page, type SequenceStart } from '../../src/backend/kv.ts'
import { SpoutError } from '../../src/errors.ts'
import { BYTE_EOS, byteTokenizer } from './byte-tokenizer.ts'

export interface ScriptedRunner extends Runner {
  /** Of each run, the ids of its parts. */
  readonly runs: number[][][]
  readonly pool: ScriptedPool
}

export interface RunnerScript extends Partial<Numerics> {
  /** Pages in use at once. Default: no limit. */
  readonly pages?: number
  /** Before each run, with its number. */
  readonly onRun?: (run: number, batch: readonly Part[]) => unknown
  /** One in so many rows is the end's. Default 40. */
  readonly length?: number
  readonly contextLength?: number
}

class ScriptedPage implements Page {
  readonly states = new Int32Array(PAGE)
  readonly bytes = [new Uint8Array(this.states.buffer)]
  readonly #pool: ScriptedPool
  holders = 1

  constructor(pool: ScriptedPool) {
    this.#pool = pool
    pool.inUse++
  }

  retain(): void {
    if (this.holders === 0) throw new Error('a page that was freed is held again')
    this.holders++
  }

  release(): void {
    if (this.holders === 0) throw new Error('a page is freed twice')
    if (--this.holders > 0) return
    this.states.fill(-1)
    this.#pool.inUse--
  }
}

/** Counts pages; refuses what goes beyond them. */
export class ScriptedPool implements KvPool {
  readonly isPaged = true
  readonly pageBytes = 4 * PAGE
  /** Texts that were opened and not disposed. */
  readonly texts = new Set<ScriptedText>()
  inUse = 0
  #most: number

  constructor(pages: number) {
    this.#most = pages
  }

  get freePages(): number {
    return this.#most - this.inUse
  }

  limitTo(pages: number): void {
    this.#most = pages
  }

  open(start: SequenceStart = {}): ScriptedText {
    return new ScriptedText(this, start)
  }

  load(fill: (bytes: readonly Uint8Array[]) => void): Page {
    const page = new ScriptedPage(this)
    fill(page.bytes)
    return page
  }
}

export class ScriptedText implements KvSequence {
  readonly canTrim = true
  readonly #pool: ScriptedPool
  readonly #held: number[] = []
  #pages: ScriptedPage[] = []

  constructor(pool: ScriptedPool, { ids, pages = [] }: SequenceStart) {
    this.#pool = pool
    this.#pages = pages as ScriptedPage[]
    if (ids !== undefined) this.#held.push(...ids.subarray(0, pages.length * PAGE))
    this.#pages = [...this.#pages]
    for (const page of this.#pages) page.retain()
    pool.texts.add(this)
  }

  get length(): number {
    return this.#held.length
  }

  get ids(): Int32Array {
    return Int32Array.from(this.#held)
  }

  get pages(): readonly Page[] {
    return this.#pages.slice(0, Math.floor(this.length / PAGE))
  }

  /** Pages that `more` ids would take: new ones, and a copy of a last one that is shared. */
  needs(more: number): number {
    const last = this.#pages[Math.floor(this.length / PAGE)]
    const copied = last !== undefined && last.holders > 1 && more > 0 ? 1 : 0
    return Math.max(0, Math.ceil((this.length + more) / PAGE) - this.#pages.length) + copied
  }

  append(id: number): number {
    const at = this.length
    const index = Math.floor(at / PAGE)
    if (this.#pages[index] === undefined) this.#pages[index] = new ScriptedPage(this.#pool)
    if (this.#pages[index]!.holders > 1) this.#copy(index)
    const before = at === 0 ? 7 : this.#pages[Math.floor((at - 1) / PAGE)]!.states[(at - 1) % PAGE]!
    const state = (Math.imul(before, 31) + id + 1) | 0
    this.#pages[index]!.states[at % PAGE] = state
    this.#held.push(id)
    return state >>> 0
  }

  fork(): ScriptedText {
    const other = new ScriptedText(this.#pool, {})
    other.#held.push(...this.#held)
    other.#pages = this.#pages.slice(0, Math.ceil(this.length / PAGE))
    for (const page of other.#pages) page.retain()
    return other
  }

  trim(length: number): void {
    this.#held.length = Math.min(this.length, length)
    for (const page of this.#pages.splice(Math.ceil(this.length / PAGE))) page.release()
  }

  mark(): void {}

  dispose(): void {
    this.trim(0)
    this.#pool.texts.delete(this)
  }

  #copy(index: number): void {
    const shared = this.#pages[index]!
    const own = new ScriptedPage(this.#pool)
    own.states.set(shared.states)
    shared.release()
    this.#pages[index] = own
  }
}

const EXACT: Numerics = {
  exactSplits: true,
  exactRows: true,
  mostParts: Number.POSITIVE_INFINITY,
  mostRows: 128,
  mostWanted: 128,
  fingerprint: 'scripted',
}

export function scriptedRunner(script: RunnerScript = {}): ScriptedRunner {
  const { pages = Number.POSITIVE_INFINITY, onRun, length = 40, contextLength = 4000, ...numerics } = script
  const runs: number[][][] = []
  const pool = new ScriptedPool(pages)
  let running = false
  return {
    runs,
    pool,
    facts: { vocabSize: byteTokenizer.vocabSize, contextLength, stopTokenIds: new Set([BYTE_EOS]) },
    numerics: { ...EXACT, ...numerics },
    async run(batch, signal) {
      if (running) throw new Error('two runs at once')
      running = true
      try {
        await onRun?.(runs.length, batch)
        signal?.throwIfAborted()
        check(batch, pool)
        runs.push(batch.map(({ ids }) => [...ids]))
        return rowsOf(batch, length)
      } finally {
        running = false
      }
    },
    dispose: async () => undefined,
  }
}

/** The same as what an engine is made of. */
export function backendOf(runner: ScriptedRunner): Backend {
  const { facts, numerics, pool } = runner
  return {
    runner,
    tokenizer: byteTokenizer,
    eosTokenId: BYTE_EOS,
    ...facts,
    prefillChunk: numerics.mostRows,
    exactSplits: numerics.exactSplits,
    settles: !numerics.exactRows,
    createCache: () => pool.open(),
    async forward(ids, sequence, signal) {
      const rows = await runner.run([{ sequence, ids, wanted: 1 }], signal)
      return { row: rows.row(0) }
    },
    dispose: () => runner.dispose(),
  }
}

function check(batch: readonly Part[], pool: ScriptedPool): void {
  if (new Set(batch.map(({ sequence }) => sequence)).size < batch.length) throw new Error('a text twice')
  let needed = 0
  for (const { sequence, ids } of batch) needed += (sequence as ScriptedText).needs(ids.length)
  if (needed > pool.freePages) throw new SpoutError('try-later', 'keys and values: no memory is left')
}

function rowsOf(batch: readonly Part[], length: number): Rows {
  const rows: Float32Array[] = []
  for (const { sequence, ids, wanted } of batch) {
    const first = ids.length - wanted
    for (let i = 0; i < ids.length; i++) {
      const state = (sequence as ScriptedText).append(ids[i]!)
      if (i >= first) rows.push(rowOf(state, length))
    }
  }
  return { count: rows.length, row: (i) => rows[i]! }
}

/** Letters are likely, and the end now and then. */
function rowOf(state: number, length: number): Float32Array {
  const row = new Float32Array(byteTokenizer.vocabSize).fill(-20)
  for (let id = 97; id < 123; id++) row[id] = ((Math.imul(state + id, 2654435761) >>> 0) % 1000) / 100
  row[BYTE_EOS] = state % length === 0 ? 20 : -20
  return row
}
