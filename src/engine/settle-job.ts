/** Ids that are run before anybody asks for what follows them, as a text for the scheduler of which nothing is chosen. */
import type { Backend } from '../backend/backend.ts'
import { makeText } from '../generation/make-text.ts'
import type { Sequence } from '../generation/sequence.ts'
import type { Sampler } from '../sampling/sampler.ts'
import type { Job } from '../scheduler/job.ts'
import type { SettleIo } from './engine.ts'
import type { KeptCache } from './kept-cache.ts'

export interface SettleParts {
  readonly backend: Backend
  readonly kept: KeptCache
  readonly ids: Int32Array
  /** How many of them the cache holds already. */
  readonly shared: number
  readonly io: SettleIo
}

export class SettleJob implements Job {
  readonly #parts: SettleParts
  #held: number | undefined

  constructor(parts: SettleParts) {
    this.#parts = parts
  }

  get tokens(): number {
    return this.#parts.ids.length
  }

  get signal(): AbortSignal | undefined {
    return this.#parts.io.signal
  }

  /** How many of the ids were there before it, or have to be run by others; all of them before it is begun. */
  get held(): number {
    return this.#held ?? this.#parts.kept.length
  }

  open(): Sequence {
    const { backend, kept, ids, shared, io } = this.#parts
    const kv = kept.cutTo(shared, ids.length)
    this.#held = kv.length
    io.onPrefill?.(0, ids.length - kv.length)
    const options = { sampler: NOBODY, sink: NOWHERE, maxTokens: 0, onPrefill: io.onPrefill }
    // A context that is full with the ids leaves nothing to choose.
    const model = { ...textModelOf(backend), contextLength: ids.length }
    return makeText(model, options, { kv, prompt: ids, held: kv.length })
  }

  setBack(): void {
    this.#parts.kept.drop()
  }

  close(): void {
    const { kept, ids } = this.#parts
    kept.hold(ids, ids.length)
  }
}

function textModelOf({ tokenizer, stopTokenIds }: Backend): Pick<Backend, 'tokenizer' | 'stopTokenIds'> {
  return { tokenizer, stopTokenIds }
}

const NOWHERE = { token: () => undefined, lastPiece: () => undefined }

const NOBODY: Sampler = {
  seed: 0n,
  logprobs: undefined,
  accept: () => undefined,
  sample: () => {
    throw new Error('nothing is chosen')
  },
}
