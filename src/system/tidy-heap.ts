/**
 * Reading a tokenizer leaves garbage several times its size: 130 MiB for a vocabulary of 150,000. V8 would keep that memory
 * for later, beside the weights that come next. A collection now gives it back.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Vocabularies from this size on leave enough behind to be worth some 10 ms. */
const LARGE_VOCABULARY = 16_000

/** To be called while something else is waited for: it holds the thread. */
export function tidyHeapAfter(vocabSize: number): void {
  if (vocabSize >= LARGE_VOCABULARY) collectGarbage()
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  if (typeof collect === 'function') collect()
}
