/** A model's answers to a few fixed questions: what is prepared must give the same. */
import type { Backend } from '../../backend.ts'

/** Ids of the prompt that is asked, spread over the vocabulary. */
const PROMPT_IDS = 24
/** Steps after it, each with the likeliest id. */
const STEPS = 6
/** Prompts that start at other ids. */
const PROMPTS = 3

/**
 * The logits after each prompt and after each step: copies, [PROMPTS × (1 + STEPS)] rows of [vocabSize].
 * @param guide rows of another backend, whose likeliest ids are the steps: so that rows of the same ids are compared.
 */
export async function probe(backend: Backend, guide: readonly Float32Array[] = []): Promise<Float32Array[]> {
  const rows: Float32Array[] = []
  for (let n = 0; n < PROMPTS; n++) {
    const cache = backend.createCache(PROMPT_IDS + STEPS)
    let ids = promptIds(backend, n)
    for (let step = 0; step <= STEPS && cache.length + ids.length <= backend.contextLength; step++) {
      const { row } = await backend.forward(ids, cache)
      ids = Int32Array.of(likeliest(guide[rows.length] ?? row))
      rows.push(row.slice())
    }
    cache.dispose()
  }
  return rows
}

function promptIds({ vocabSize, contextLength }: Backend, n: number): Int32Array {
  return fixedIds(vocabSize, Math.max(1, Math.min(PROMPT_IDS, contextLength - STEPS - 1)), n)
}

/** The ids of a text that is always the same. @param n its number: others are other texts */
export function fixedIds(vocabSize: number, count: number, n: number): Int32Array {
  // A step prime to most sizes: ids from everywhere, and none twice.
  const stride = Math.max(1, Math.floor(vocabSize * 0.381966))
  return Int32Array.from({ length: count }, (_, i) => (i * stride + n * 101 + 7) % vocabSize)
}

function likeliest(row: Float32Array): number {
  let best = 0
  for (let id = 1; id < row.length; id++) if (row[id]! > row[best]!) best = id
  return best
}

/** True when both gave the same numbers, to the last bit. */
export function equalRows(a: readonly Float32Array[], b: readonly Float32Array[]): boolean {
  return a.length === b.length && a.every((row, i) => bytesOf(row).equals(bytesOf(b[i]!)))
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
