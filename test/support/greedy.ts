import type { Backend, KvCache, Logits } from '../../src/backend/backend.ts'

/** The largest logit; the first of equals. */
export function argmax({ row }: Logits): number {
  let best = 0
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i
  return best
}

/** The `count` ids that follow `logits`, each fed on its own; after the last nothing is fed. */
export async function continueGreedily(
  backend: Backend,
  cache: KvCache,
  { logits, count }: { logits: Logits; count: number },
): Promise<number[]> {
  const ids = [argmax(logits)]
  while (ids.length < count) ids.push(argmax(await backend.forward(Int32Array.of(ids.at(-1)!), cache)))
  return ids
}

/** Feeds `ids` in pieces of `size`. The logits are of the last. */
export async function feed(
  backend: Backend,
  cache: KvCache,
  ids: Int32Array,
  size = ids.length,
): Promise<Logits> {
  let logits: Logits | undefined
  for (let i = 0; i < ids.length; i += size) logits = await backend.forward(ids.subarray(i, i + size), cache)
  return logits!
}
