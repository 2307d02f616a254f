import type { Backend, KvCache, Logits } from '../../src/backend/backend.ts'
import { BYTE_EOS, byteTokenizer } from './byte-tokenizer.ts'

export interface ScriptedBackend extends Backend {
  /** The ids of every forward, in order. */
  readonly calls: readonly (readonly number[])[]
}

export interface ScriptOptions {
  /** Ids of the prompt: what follows them is the script. Default 6. */
  readonly promptTokens?: number
  readonly contextLength?: number
  readonly prefillChunk?: number
  /** Runs before each forward, with its number. */
  readonly onForward?: (call: number) => unknown
  /** Written into the row in place of the script's one id. */
  readonly fill?: (row: Float32Array, step: number) => void
}

/** A model without weights: the n-th new token is the n-th of the script, then EOS for ever. */
export function scriptedBackend(
  script: string | readonly number[],
  options: ScriptOptions = {},
): ScriptedBackend {
  const ids = typeof script === 'string' ? [...byteTokenizer.encode(script)] : script
  const calls: number[][] = []
  const row = new Float32Array(byteTokenizer.vocabSize)
  const logits: Logits = { row }
  let scriptStart = 0
  return {
    calls,
    tokenizer: byteTokenizer,
    eosTokenId: BYTE_EOS,
    stopTokenIds: new Set([BYTE_EOS]),
    vocabSize: byteTokenizer.vocabSize,
    contextLength: options.contextLength ?? 1000,
    prefillChunk: options.prefillChunk ?? 512,
    exactSplits: true,
    settles: true,
    createCache: countingCache,
    async forward(input, cache, signal) {
      await options.onForward?.(calls.length)
      signal?.throwIfAborted()
      calls.push([...input])
      const counting = cache as CountingCache
      if (calls.length === 1) scriptStart = counting.length + (options.promptTokens ?? 6)
      counting.length += input.length
      const step = counting.length - scriptStart
      row.fill(0)
      if (step < 0) row[0] = 1
      else if (options.fill === undefined) row[ids[step] ?? BYTE_EOS] = 10
      else options.fill(row, step)
      return logits
    },
    dispose: async () => undefined,
  }
}

interface CountingCache extends KvCache {
  length: number
}

function countingCache(): CountingCache {
  return {
    length: 0,
    canTrim: true,
    trim(length) {
      this.length = Math.min(this.length, length)
    },
    mark: () => undefined,
    dispose: () => undefined,
  }
}
