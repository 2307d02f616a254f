import type { Backend } from '../../backend/backend.ts'
import type { TokenSink } from '../../generation/token-sink.ts'
import type { Sampler } from '../../sampling/sampler.ts'
import type { Tokenizer } from '../../tokenizer/tokenizer.ts'

/** What the token loop is given for one request. */
export interface RequestParts {
  readonly backend: Backend
  readonly sampler: Sampler
  readonly sink: TokenSink
}

/** The model of an arm: what a habit of the past may need to know of it. */
export interface BeforeModel {
  readonly backend: Backend
  /** Where tokenizer.json is. */
  readonly folder: string
}

/** One habit of the past, opened for a model. */
export interface OpenBefore {
  /** Called at the beginning of every request; its time counts. */
  alter(parts: RequestParts): RequestParts
  close?(): void
}

/** One thing as it was done before it was repaired. The product's path knows nothing of it. */
export interface BeforeArm {
  readonly name: string
  /** One line: what it stands for. */
  readonly standsFor: string
  /** It is about the repetition penalty, so both sides of its comparison have one. */
  readonly penalty?: boolean
  open(model: BeforeModel): Promise<OpenBefore>
}

/** The backend with another tokenizer in front of the same model. */
export function withTokenizer(backend: Backend, tokenizer: Tokenizer): Backend {
  return { ...delegate(backend), tokenizer }
}

/** The backend with another way of running a step. */
export function withForward(backend: Backend, forward: Backend['forward']): Backend {
  return { ...delegate(backend), forward }
}

/** A class's methods and getters, as an object that can be changed. */
function delegate(backend: Backend): Backend {
  const { tokenizer, eosTokenId, stopTokenIds, vocabSize, contextLength } = backend
  const { prefillChunk, exactSplits, settles } = backend
  return {
    ...{ tokenizer, eosTokenId, stopTokenIds, vocabSize, contextLength, prefillChunk, exactSplits, settles },
    createCache: (expected) => backend.createCache(expected),
    forward: (ids, cache, signal) => backend.forward(ids, cache, signal),
    dispose: () => backend.dispose(),
  }
}

/** The sink, and `each` at every token before it. */
export function withEachToken(sink: TokenSink, each: (id: number, text: string) => void): TokenSink {
  return {
    token(id, text, logprobs) {
      each(id, text)
      return sink.token(id, text, logprobs)
    },
    lastPiece: (text) => sink.lastPiece(text),
  }
}

/** The sampler, and `each` at every id it has chosen. */
export function withEachChoice(sampler: Sampler, each: (id: number) => void): Sampler {
  return {
    seed: sampler.seed,
    logprobs: undefined,
    accept: (ids) => sampler.accept(ids),
    sample(logits) {
      const id = sampler.sample(logits)
      each(id)
      return id
    },
  }
}
