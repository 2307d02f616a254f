/** A runner over ONNX Runtime with the tokenizer of its model, for whoever runs one text at a time. */
import { SpoutError } from '../../errors.ts'
import type { ModelConfig } from '../../model/resolved-model.ts'
import type { Tokenizer } from '../../tokenizer/tokenizer.ts'
import type { Backend, KvCache, Logits, Runner } from '../backend.ts'
import type { OpenedModel } from './load-session.ts'
import { OnnxRunner } from './onnx-runner.ts'
import { PagedRunner } from './paged-runner.ts'
import { hasStates } from './plan/feed-plan.ts'

export class OnnxBackend implements Backend {
  readonly runner: Runner
  readonly tokenizer: Tokenizer
  readonly eosTokenId: number | undefined
  readonly stopTokenIds: ReadonlySet<number>
  readonly vocabSize: number
  readonly contextLength: number
  readonly prefillChunk: number
  readonly exactSplits: boolean
  readonly settles: boolean
  readonly #logits: { row: Float32Array } = { row: new Float32Array(0) }

  /** @throws SpoutError `config` when the tokenizer is not this model's. */
  constructor(loaded: OpenedModel, tokenizer: Tokenizer, config: ModelConfig, contextLength?: number) {
    const { plan } = loaded
    refuseOtherTokenizer(tokenizer, plan.vocabSize)
    const Kind = plan.ragged === undefined ? OnnxRunner : PagedRunner
    this.runner = new Kind(loaded, config, contextLength)
    const { facts, numerics } = this.runner
    this.tokenizer = tokenizer
    this.eosTokenId = config.eosTokenIds[0]
    this.stopTokenIds = facts.stopTokenIds
    this.vocabSize = facts.vocabSize
    this.contextLength = facts.contextLength
    this.exactSplits = numerics.exactSplits
    const mayFollow = plan.chunking === 'any' && hasStates(plan)
    this.settles = numerics.exactSplits && !numerics.exactRows && mayFollow
    this.prefillChunk = numerics.mostRows
  }

  createCache(expectedTokens = 0): KvCache {
    return this.runner.pool.open({ expected: expectedTokens })
  }

  async forward(ids: Int32Array, cache: KvCache, signal?: AbortSignal): Promise<Logits> {
    const rows = await this.runner.run([{ sequence: cache, ids, wanted: 1 }], signal)
    this.#logits.row = rows.row(0)
    return this.#logits
  }

  dispose(): Promise<void> {
    return this.runner.dispose()
  }
}

/**
 * Logits may be wider than the vocabulary (padding), and a few special tokens may lie beyond them (pictures, in a
 * model that only reads); an ordinary token there means that graph and tokenizer do not belong together.
 */
function refuseOtherTokenizer(tokenizer: Tokenizer, vocabSize: number): void {
  for (let id = vocabSize; id < tokenizer.vocabSize; id++) {
    if (tokenizer.isSpecial(id) || tokenizer.idToToken(id) === undefined) continue
    throw new SpoutError(
      'config',
      `tokenizer: ${tokenizer.vocabSize} tokens; the model has logits for ${vocabSize}`,
      { hint: 'tokenizer.json and the graph are of different models' },
    )
  }
}
