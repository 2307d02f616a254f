/**
 * Models that also see or hear are split: one graph turns ids into embeddings, the other decodes embeddings, so that
 * pictures can be put between. Text alone goes through both. What the first gives and the second wants is matched by
 * name; shape [1, tokens, …].
 */
import type { ModelConfig } from '../../model/resolved-model.ts'
import type { Session, Tensor, TensorInfo } from '../../onnx-runtime/runtime.ts'
import { tensorText, unsupported } from './plan/unsupported.ts'

export class Embedder {
  readonly session: Session
  /** Its graph and weights. */
  files: readonly string[] = []
  readonly #decoder: Session
  readonly #outputs: readonly EmbeddingOutput[]
  /** What a decode step passes on, shape [1, 1, …]; made once. */
  #step: Tensor[] = []
  #stepBound = false

  /** @throws SpoutError `config` for a graph of embeddings that wants more than ids. */
  constructor(session: Session, decoder: Session, config: ModelConfig) {
    this.session = session
    this.#decoder = decoder
    const others = session.inputs.filter(({ name, type }) => name !== 'input_ids' || type !== 'int64')
    if (others.length > 0)
      throw unsupported(`embedding input ${tensorText(others[0]!)}`, 'input_ids int64 alone')
    const wanted = new Set(decoder.inputs.map((info) => info.name))
    this.#outputs = session.outputs
      .filter((info) => wanted.has(info.name))
      .map((info) => ({ info, sizes: rowSizes(info, config) }))
  }

  /** Names of the decoder's inputs that come from here. */
  get names(): ReadonlySet<string> {
    return new Set(this.#outputs.map(({ info }) => info.name))
  }

  /** Binds what goes from one session to the other in a run of `count` ids. */
  bind(count: number): void {
    if (count === 1 && this.#stepBound) return
    const tensors = count === 1 && this.#step.length > 0 ? this.#step : this.#allocate(count)
    this.#outputs.forEach(({ info }, i) => {
      this.session.bindOutput(info.name, tensors[i]!)
      this.#decoder.bindInput(info.name, tensors[i]!)
    })
    // The bindings keep what is bound, until something else is.
    if (count === 1) this.#step = tensors
    else for (const tensor of tensors) tensor.dispose()
    this.#stepBound = count === 1
  }

  async dispose(): Promise<void> {
    for (const tensor of this.#step) tensor.dispose()
    await this.session.dispose()
  }

  #allocate(count: number): Tensor[] {
    return this.#outputs.map(({ info, sizes }) => this.session.allocate(info.type, [1, count, ...sizes]))
  }
}

interface EmbeddingOutput {
  readonly info: TensorInfo
  /** The axes after [batch, tokens]. */
  readonly sizes: readonly number[]
}

function rowSizes(info: TensorInfo, config: ModelConfig): number[] {
  const sizes = info.dims.slice(2).map((size, i, all) => {
    const known = typeof size === 'number' ? size : i === all.length - 1 ? config.hiddenSize : undefined
    if (known === undefined)
      throw unsupported(`embedding ${tensorText(info)}`, 'its sizes in the graph or in config.json')
    return known
  })
  if (sizes.length === 0) throw unsupported(`embedding ${tensorText(info)}`, '[batch, tokens, size]')
  return sizes
}
