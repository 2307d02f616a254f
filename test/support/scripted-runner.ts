/** A model without weights that runs many texts at once: what follows depends on every id before it, and on nothing else. */
import type { Numerics, Part, Rows, Runner } from '../../src/backend/backend.ts'
import type { KvCache } from '../../src/backend/kv.ts'
import { PAGE } from '../../src/backend/kv.ts'
import { SpoutError } from '../../src/errors.ts'
import { BYTE_EOS, byteTokenizer } from './byte-tokenizer.ts'

export interface ScriptedRunner extends Pick<Runner, 'run' | 'numerics'> {
  /** Of each run, the ids of its parts. */
  readonly runs: number[][][]
  readonly pool: ScriptedPool
}

export interface RunnerScript extends Partial<Numerics> {
  /** Pages in use at once. Default: no limit. */
  readonly pages?: number
  /** Before each run, with its number. */
  readonly onRun?: (run: number, batch: readonly Part[]) => unknown
  /** Likeliest ends: the larger, the longer the texts. Default 40. */
  readonly length?: number
}

export interface ScriptedCache extends KvCache {
  readonly held: number[]
}

/** Counts pages; refuses what goes beyond them. */
export class ScriptedPool {
  /** Caches that were opened and not disposed. */
  readonly caches = new Set<ScriptedCache>()
  readonly #pages: number

  constructor(pages: number) {
    this.#pages = pages
  }

  get freePages(): number {
    let used = 0
    for (const { held } of this.caches) used += Math.ceil(held.length / PAGE)
    return this.#pages - used
  }

  open(): ScriptedCache {
    const held: number[] = []
    const cache: ScriptedCache = {
      held,
      get length() {
        return held.length
      },
      canTrim: true,
      trim: (length) => void held.splice(length),
      mark: () => undefined,
      dispose: () => void this.caches.delete(cache),
    }
    this.caches.add(cache)
    return cache
  }
}

export function scriptedRunner(script: RunnerScript = {}): ScriptedRunner {
  const { pages = Number.POSITIVE_INFINITY, onRun, length = 40, ...numerics } = script
  const runs: number[][][] = []
  const pool = new ScriptedPool(pages)
  let running = false
  return {
    runs,
    pool,
    numerics: { ...EXACT, ...numerics },
    async run(batch, signal) {
      if (running) throw new Error('two runs at once')
      running = true
      try {
        await onRun?.(runs.length, batch)
        signal?.throwIfAborted()
        if (new Set(batch.map(({ sequence }) => sequence)).size < batch.length)
          throw new Error('a text twice')
        checkPages(batch, pool)
        runs.push(batch.map(({ ids }) => [...ids]))
        return rowsOf(batch, length)
      } finally {
        running = false
      }
    },
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

function checkPages(batch: readonly Part[], pool: ScriptedPool): void {
  let needed = 0
  for (const { sequence, ids } of batch) {
    needed += Math.ceil((sequence.length + ids.length) / PAGE) - Math.ceil(sequence.length / PAGE)
  }
  if (needed > pool.freePages) throw new SpoutError('try-later', 'keys and values: no memory is left')
}

function rowsOf(batch: readonly Part[], length: number): Rows {
  const rows: Float32Array[] = []
  for (const { sequence, ids, wanted } of batch) {
    const { held } = sequence as ScriptedCache
    const first = ids.length - wanted
    for (let i = 0; i < ids.length; i++) {
      held.push(ids[i]!)
      if (i >= first) rows.push(rowAfter(held, length))
    }
  }
  return { count: rows.length, row: (i) => rows[i]! }
}

/** Printable bytes are likely, and the end now and then. */
function rowAfter(held: readonly number[], length: number): Float32Array {
  const row = new Float32Array(byteTokenizer.vocabSize).fill(-20)
  let hash = 7
  for (const id of held) hash = (Math.imul(hash, 31) + id + 1) >>> 0
  for (let id = 97; id < 123; id++) row[id] = ((Math.imul(hash + id, 2654435761) >>> 0) % 1000) / 100
  row[BYTE_EOS] = hash % length === 0 ? 20 : -20
  return row
}
