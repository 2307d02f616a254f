/**
 * Logits in, id out. A request's chain is built once, with the steps that would change nothing left out:
 *
 *   repetition, presence and frequency penalties → logit bias → no-repeat n-gram, bans, min-new-tokens →
 *   the request's own processors → the mask of a grammar → greedy, or:
 *   temperature → top-k → top-p → min-p → typical-p → epsilon → eta → draw
 *
 * Bans yield to the mask: where they would leave nothing that it allows, they do not count in that step.
 *
 * Everything works in place on buffers made with the sampler: a token costs no allocation.
 */
import { SpoutError } from '../errors.ts'
import { buildBans, buildFilters, buildShaping, chooseScan } from './build-chain.ts'
import { Candidates } from './candidates.ts'
import { draw, RowDraw } from './categorical.ts'
import type { Filter } from './filters.ts'
import type { LogitsProcessor } from './logits-processor.ts'
import { LogprobReader } from './logprob-reader.ts'
import { type Mask, MaskedRow } from './masked-row.ts'
import { freshSeed, Generator } from './rng.ts'
import { resolveSampling, type SamplingOptions, type SamplingParams } from './sampling-params.ts'
import { argmax, refuseRow, type Scan, scanAll } from './scan.ts'
import type { TokenLogprobs } from './token-logprobs.ts'

/** Chooses one id from a row of logits. Made once per request. */
export interface Sampler {
  /** The seed of this request's generator. */
  readonly seed: bigint
  /** Of the last call to `sample`, when the request asked for them: as the model gave them, before any mask. */
  readonly logprobs: TokenLogprobs | undefined
  /** Bans would have left nothing of what the mask allows, and were passed over. */
  readonly overruled?: boolean
  /** Counts ids that were not sampled (the prompt) into the penalty window. */
  accept(ids: ArrayLike<number>): void
  /**
   * Chooses an id from `logits`, shape [vocabSize], which is overwritten. The id joins the penalty window.
   * @throws SpoutError `failed` when the logits hold NaN or +Infinity, or nothing but -Infinity.
   */
  sample(logits: Float32Array): number
}

/** What may be drawn and how likely, in ascending order of ids. */
export interface Distribution {
  readonly ids: Int32Array
  readonly probabilities: Float64Array
}

/** A sampler that also shows what it would draw from. */
export interface OpenSampler extends Sampler {
  /** The next step, counted from 1. */
  readonly step: number
  /** What `sample` would draw from, as a copy; draws nothing and accepts nothing, but overwrites `logits`. */
  distribution(logits: Float32Array): Distribution
}

/** What a sampler must know of the model; a `Backend` will do. */
export interface SamplerModel {
  readonly vocabSize: number
  /** EOS and every other end id: what min-new-tokens holds back. */
  readonly stopTokenIds: Iterable<number>
  /** Room for the ids of the context; it grows where this is absent. */
  readonly contextLength?: number
}

/**
 * @param own processors of the request itself; they run after all others, in their order.
 * @param mask what may be chosen at all, as of a grammar.
 * @throws SpoutError `usage` when an option is out of its range.
 */
export function createSampler(
  options: SamplingOptions,
  model: SamplerModel,
  own: readonly LogitsProcessor[] = [],
  mask?: Mask,
): OpenSampler {
  const params = resolveSampling(options)
  checkBiasIds(params, model)
  return new ChainSampler({ params, model, own, mask })
}

interface ChainParts {
  readonly params: SamplingParams
  readonly model: SamplerModel
  readonly own: readonly LogitsProcessor[]
  readonly mask: Mask | undefined
}

class ChainSampler implements OpenSampler {
  readonly seed: bigint
  logprobs: TokenLogprobs | undefined
  step = 1
  overruled = false
  readonly #vocabSize: number
  /** Penalties and bias. */
  readonly #shaping: readonly LogitsProcessor[]
  /** What takes ids away. */
  readonly #bans: readonly LogitsProcessor[]
  readonly #masked: MaskedRow | undefined
  readonly #scan: Scan | undefined
  readonly #filters: readonly Filter[]
  readonly #candidates: Candidates
  /** Where nothing is filtered. */
  readonly #rowDraw: RowDraw | undefined
  readonly #generator: Generator
  readonly #reader: LogprobReader | undefined

  constructor({ params, model, own, mask }: ChainParts) {
    const { vocabSize } = model
    const greedy = params.temperature === 0
    this.seed = params.seed ?? freshSeed()
    this.#vocabSize = vocabSize
    this.#shaping = buildShaping(params, model, mask)
    this.#bans = [...buildBans(params, model), ...own]
    this.#masked = mask && new MaskedRow(mask, vocabSize, this.#bans.length > 0)
    this.#scan = greedy ? undefined : chooseScan(params, vocabSize)
    this.#filters = greedy ? [] : buildFilters(params, vocabSize)
    this.#candidates = new Candidates(greedy ? 1 : vocabSize, params.temperature)
    this.#rowDraw = this.#scan === scanAll && this.#filters.length === 0 ? new RowDraw(vocabSize) : undefined
    this.#generator = new Generator(this.seed)
    this.#reader = params.logprobs === undefined ? undefined : new LogprobReader(vocabSize, params.logprobs)
  }

  accept(ids: ArrayLike<number>): void {
    for (let i = 0; i < ids.length; i++) this.#accept(ids[i]!, false)
  }

  sample(logits: Float32Array): number {
    this.#reader?.keep(logits)
    const id = this.#choose(this.#process(logits))
    this.logprobs = this.#reader?.read(id, this.step)
    this.#accept(id, true)
    this.step++
    return id
  }

  distribution(logits: Float32Array): Distribution {
    let row = this.#process(logits)
    if (this.#scan) {
      if (!this.#look(row, this.#scan)) row = this.#letBansGo(row)
      this.#narrow(row)
    } else {
      if (argmax(row) < 0) row = this.#letBansGo(row)
      this.#candidates.gatherOne(argmax(row))
    }
    const { ids, weights, count, total } = this.#candidates
    return {
      ids: ids.slice(0, count).map((index) => this.#masked?.idOf(index) ?? index),
      probabilities: weights.slice(0, count).map((weight) => weight / total),
    }
  }

  /** The row to choose from. */
  #process(logits: Float32Array): Float32Array {
    if (logits.length !== this.#vocabSize) throw wrongLength(logits.length, this.#vocabSize)
    const masked = this.#masked
    for (let i = 0; i < this.#shaping.length; i++) this.#shaping[i]!.process(logits)
    masked?.keep(logits)
    for (let i = 0; i < this.#bans.length; i++) this.#bans[i]!.process(logits)
    if (masked === undefined) return logits
    masked.close(logits)
    return masked.row
  }

  #choose(row: Float32Array): number {
    let index = this.#pick(row)
    if (index < 0) index = this.#pick(this.#letBansGo(row))
    return this.#masked === undefined ? index : this.#masked.idOf(index)
  }

  /** An index into the row; -1 when it cannot be sampled. */
  #pick(row: Float32Array): number {
    if (this.#scan === undefined) return argmax(row)
    if (!this.#look(row, this.#scan)) return -1
    const candidates = this.#candidates
    if (this.#rowDraw && Number.isFinite(candidates.best))
      return this.#rowDraw.draw(row, candidates, this.#generator, this.#masked?.ids)
    this.#narrow(row)
    return draw(candidates, this.#generator)
  }

  /** The row once more, without the bans that have emptied it. @throws SpoutError `failed` when that is not why. */
  #letBansGo(row: Float32Array): Float32Array {
    const masked = this.#masked
    const isEmpty = row.every((logit) => logit === -Infinity)
    if (!isEmpty || !masked?.reopen() || argmax(masked.row) < 0) throw refuseRow(row, this.step, masked?.ids)
    this.overruled = true
    if (this.#scan) this.#look(masked.row, this.#scan)
    return masked.row
  }

  #look(row: Float32Array, scan: Scan): boolean {
    return scan(row, this.#candidates)
  }

  #narrow(logits: Float32Array): void {
    const candidates = this.#candidates
    // A temperature so small that scores overflow is as good as greedy.
    if (Number.isFinite(candidates.best)) candidates.gather(logits)
    else candidates.gatherOne(argmax(logits))
    for (let i = 0; i < this.#filters.length; i++) this.#filters[i]!(candidates)
  }

  #accept(id: number, sampled: boolean): void {
    for (let i = 0; i < this.#shaping.length; i++) this.#shaping[i]!.accept?.(id, sampled)
    for (let i = 0; i < this.#bans.length; i++) this.#bans[i]!.accept?.(id, sampled)
  }
}

function checkBiasIds({ logitBias }: SamplingParams, { vocabSize }: SamplerModel): void {
  for (const id of logitBias.keys()) {
    if (id >= vocabSize)
      throw new SpoutError('usage', `logit-bias: ${id} is not a token id from 0 to ${vocabSize - 1}`)
  }
}

function wrongLength(length: number, vocabSize: number): SpoutError {
  return new SpoutError('internal', `logits: ${length} values for a vocabulary of ${vocabSize}`)
}
