/**
 * The prompt goes in by chunks: between them progress can be told and an interrupt is heard, and the memory of a run
 * depends on the chunk, not on the prompt.
 */
import type { Backend, KvCache, Logits } from '../backend/backend.ts'
import { pieceEnd } from '../backend/pieces.ts'

export interface PrefillOptions {
  readonly ids: Int32Array
  readonly cache: KvCache
  readonly signal?: AbortSignal | undefined
  /** Told after each chunk: tokens done, tokens in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** Appends `ids` to the cache. The logits are of the last id. @throws the signal's reason when aborted. */
export async function prefill(backend: Backend, options: PrefillOptions): Promise<Logits> {
  const { ids, cache, signal, onProgress } = options
  const step = backend.prefillChunk
  for (let start = 0; ; ) {
    const end = pieceEnd(start, step, ids.length)
    const logits = await backend.forward(ids.subarray(start, end), cache, signal)
    onProgress?.(end, ids.length)
    if (end === ids.length) return logits
    start = end
  }
}
