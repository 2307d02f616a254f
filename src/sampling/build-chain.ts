/** The steps of a chain, those that would change nothing left out. */
import { BannedIds, BannedSequences, LogitBias, MinNewTokens, NoRepeatNgram } from './bans.ts'
import {
  type Filter,
  makeEpsilonFilter,
  makeEtaFilter,
  makeMinPFilter,
  makeTopPFilter,
  makeTypicalFilter,
} from './filters.ts'
import type { LogitsProcessor } from './logits-processor.ts'
import type { Mask } from './masked-row.ts'
import { Penalties } from './penalties.ts'
import type { SamplingParams } from './sampling-params.ts'
import { makeMinPScan, makeTopKScan, makeTopPScan, type Scan, scanAll } from './scan.ts'

interface ChainModel {
  readonly vocabSize: number
  readonly stopTokenIds: Iterable<number>
  readonly contextLength?: number
}

/** The processors that would change something, in their order: first those that add to logits. */
export function buildShaping(
  params: SamplingParams,
  { vocabSize }: ChainModel,
  mask?: Mask,
): LogitsProcessor[] {
  const { repetitionPenalty, presencePenalty, frequencyPenalty, repeatLastN } = params
  const processors: LogitsProcessor[] = []
  const penalizes = repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0
  if (penalizes && repeatLastN !== 0)
    processors.push(new Penalties(params, vocabSize, mask?.isExempt?.bind(mask)))
  if (params.logitBias.size > 0) processors.push(new LogitBias(params.logitBias))
  return processors
}

/** Then those that take ids away. */
export function buildBans(params: SamplingParams, model: ChainModel): LogitsProcessor[] {
  const { stopTokenIds, contextLength = 4096 } = model
  const processors: LogitsProcessor[] = []
  if (params.noRepeatNgramSize > 0)
    processors.push(new NoRepeatNgram(params.noRepeatNgramSize, contextLength))
  if (params.bannedIds.length > 0) processors.push(new BannedIds(params.bannedIds))
  if (params.bannedSequences.length > 0)
    processors.push(new BannedSequences(params.bannedSequences, contextLength))
  if (params.minNewTokens > 0) processors.push(new MinNewTokens(params.minNewTokens, stopTokenIds))
  return processors
}

/** The first cut decides how much of the row must be gathered. */
export function chooseScan({ topK, topP, minP }: SamplingParams, vocabSize: number): Scan {
  if (topK > 0 && topK < vocabSize) return makeTopKScan(topK)
  if (topP < 1) return makeTopPScan(topP)
  return minP > 0 ? makeMinPScan(minP) : scanAll
}

/** The filters that would remove something, in their order. Top-k is done by the scan. */
export function buildFilters(
  { topP, minP, typicalP, epsilon, eta }: SamplingParams,
  vocabSize: number,
): Filter[] {
  const filters: Filter[] = []
  if (topP < 1) filters.push(makeTopPFilter(topP, vocabSize))
  if (minP > 0) filters.push(makeMinPFilter(minP))
  if (typicalP < 1) filters.push(makeTypicalFilter(typicalP, vocabSize))
  if (epsilon > 0) filters.push(makeEpsilonFilter(epsilon))
  if (eta > 0) filters.push(makeEtaFilter(eta))
  return filters
}
