/**
 * Logits in, id out. A request's chain is built once, with the steps that would change nothing left out:
 *
 *   repetition, presence and frequency penalties → no-repeat n-gram → logit bias → bans, min-new-tokens →
 *   the request's own processors (a grammar's mask) → greedy, or:
 *   temperature → top-k → top-p → min-p → typical-p → epsilon → eta → draw
 *
 * Everything works in place on buffers made with the sampler: a token costs no allocation.
 */
import { SpoutError } from '../errors.ts'
import { BannedIds, BannedSequences, LogitBias, MinNewTokens, NoRepeatNgram } from './bans.ts'
import { Candidates } from './candidates.ts'
import { draw, RowDraw } from './categorical.ts'
import {
  type Filter,
  makeEpsilonFilter,
  makeEtaFilter,
  makeMinPFilter,
  makeTopPFilter,
  makeTypicalFilter,
} from './filters.ts'
import type { LogitsProcessor } from './logits-processor.ts'
import { LogprobReader } from './logprob-reader.ts'
import { Penalties } from './penalties.ts'
import { freshSeed, Generator } from './rng.ts'
import { resolveSampling, type SamplingOptions, type SamplingParams } from './sampling-params.ts'
import { argmax, makeMinPScan, makeTopKScan, makeTopPScan, refuseRow, type Scan, scanAll } from './scan.ts'
import type { TokenLogprobs } from './token-logprobs.ts'

/** Chooses one id from a row of logits. Made once per request. */
export interface Sampler {
  /** The seed of this request's generator. */
  readonly seed: bigint
  /** Of the last call to `sample`, when the request asked for them. */
  readonly logprobs: TokenLogprobs | undefined
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
 * @param own processors of the request itself, such as a grammar's mask; they run last, in their order.
 * @throws SpoutError `usage` when an option is out of its range.
 */
export function createSampler(
  options: SamplingOptions,
  model: SamplerModel,
  own: readonly LogitsProcessor[] = [],
): OpenSampler {
  const params = resolveSampling(options)
  checkBiasIds(params, model)
  return new ChainSampler({ params, model, own })
}

class ChainSampler implements OpenSampler {
  readonly seed: bigint
  logprobs: TokenLogprobs | undefined
  step = 1
  readonly #vocabSize: number
  readonly #processors: readonly LogitsProcessor[]
  readonly #scan: Scan | undefined
  readonly #filters: readonly Filter[]
  readonly #candidates: Candidates
  /** Where nothing is filtered. */
  readonly #rowDraw: RowDraw | undefined
  readonly #generator: Generator
  readonly #reader: LogprobReader | undefined

  constructor({
    params,
    model,
    own,
  }: { params: SamplingParams; model: SamplerModel; own: readonly LogitsProcessor[] }) {
    const { vocabSize } = model
    const greedy = params.temperature === 0
    this.seed = params.seed ?? freshSeed()
    this.#vocabSize = vocabSize
    this.#processors = [...buildProcessors(params, model), ...own]
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
    this.#process(logits)
    const id = this.#choose(logits)
    this.logprobs = this.#reader?.read(id, this.step)
    this.#accept(id, true)
    this.step++
    return id
  }

  distribution(logits: Float32Array): Distribution {
    this.#process(logits)
    if (this.#scan) {
      this.#look(logits, this.#scan)
      this.#narrow(logits)
    } else {
      this.#candidates.gatherOne(this.#mostLikely(logits))
    }
    const { ids, weights, count, total } = this.#candidates
    return {
      ids: ids.slice(0, count),
      probabilities: weights.slice(0, count).map((weight) => weight / total),
    }
  }

  #process(logits: Float32Array): void {
    if (logits.length !== this.#vocabSize) throw wrongLength(logits.length, this.#vocabSize)
    for (let i = 0; i < this.#processors.length; i++) this.#processors[i]!.process(logits)
  }

  #choose(logits: Float32Array): number {
    if (this.#scan === undefined) return this.#mostLikely(logits)
    this.#look(logits, this.#scan)
    const candidates = this.#candidates
    if (this.#rowDraw && Number.isFinite(candidates.best))
      return this.#rowDraw.draw(logits, candidates, this.#generator)
    this.#narrow(logits)
    return draw(candidates, this.#generator)
  }

  #look(logits: Float32Array, scan: Scan): void {
    if (!scan(logits, this.#candidates)) throw refuseRow(logits, this.step)
  }

  #narrow(logits: Float32Array): void {
    const candidates = this.#candidates
    // A temperature so small that scores overflow is as good as greedy.
    if (Number.isFinite(candidates.best)) candidates.gather(logits)
    else candidates.gatherOne(this.#mostLikely(logits))
    for (let i = 0; i < this.#filters.length; i++) this.#filters[i]!(candidates)
  }

  #mostLikely(logits: Float32Array): number {
    const id = argmax(logits)
    if (id < 0) throw refuseRow(logits, this.step)
    return id
  }

  #accept(id: number, sampled: boolean): void {
    for (let i = 0; i < this.#processors.length; i++) this.#processors[i]!.accept?.(id, sampled)
  }
}

/** The processors that would change something, in their order. */
function buildProcessors(params: SamplingParams, model: SamplerModel): LogitsProcessor[] {
  const { repetitionPenalty, presencePenalty, frequencyPenalty, repeatLastN } = params
  const { vocabSize, stopTokenIds, contextLength = 4096 } = model
  const processors: LogitsProcessor[] = []
  const penalizes = repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0
  if (penalizes && repeatLastN !== 0) processors.push(new Penalties(params, vocabSize))
  if (params.noRepeatNgramSize > 0)
    processors.push(new NoRepeatNgram(params.noRepeatNgramSize, contextLength))
  if (params.logitBias.size > 0) processors.push(new LogitBias(params.logitBias))
  if (params.bannedIds.length > 0) processors.push(new BannedIds(params.bannedIds))
  if (params.bannedSequences.length > 0)
    processors.push(new BannedSequences(params.bannedSequences, contextLength))
  if (params.minNewTokens > 0) processors.push(new MinNewTokens(params.minNewTokens, stopTokenIds))
  return processors
}

/** The first cut decides how much of the row must be gathered. */
function chooseScan({ topK, topP, minP }: SamplingParams, vocabSize: number): Scan {
  if (topK > 0 && topK < vocabSize) return makeTopKScan(topK)
  if (topP < 1) return makeTopPScan(topP)
  return minP > 0 ? makeMinPScan(minP) : scanAll
}

/** The filters that would remove something, in their order. Top-k is done by the scan. */
function buildFilters({ topP, minP, typicalP, epsilon, eta }: SamplingParams, vocabSize: number): Filter[] {
  const filters: Filter[] = []
  if (topP < 1) filters.push(makeTopPFilter(topP, vocabSize))
  if (minP > 0) filters.push(makeMinPFilter(minP))
  if (typicalP < 1) filters.push(makeTypicalFilter(typicalP, vocabSize))
  if (epsilon > 0) filters.push(makeEpsilonFilter(epsilon))
  if (eta > 0) filters.push(makeEtaFilter(eta))
  return filters
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
