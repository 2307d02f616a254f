/** What runs of all kinds have in common: how much goes into one, and what is refused. */
import { SpoutError } from '../../errors.ts'
import type { ModelConfig } from '../../model/resolved-model.ts'
import type { ModelFacts, Part } from '../backend.ts'
import type { FeedPlan } from './plan/feed-plan.ts'

/** Tokens of one run of a prompt: measured fastest among 64 to 1,024, and small in memory; an interrupt is heard between. */
export const PREFILL_CHUNK = 128
/** Rows of logits of a run: of a vocabulary of 151,936 they are 78 MB. */
export const MOST_WANTED = 128

export function modelFacts(plan: FeedPlan, config: ModelConfig, contextLength: number): ModelFacts {
  return {
    vocabSize: plan.vocabSize,
    contextLength: Math.min(contextLength, plan.contextLength),
    stopTokenIds: new Set(config.eosTokenIds),
  }
}

/** @throws SpoutError `data` when a sequence would become longer than the context. */
export function checkFits(batch: readonly Part[], contextLength: number): void {
  for (let i = 0; i < batch.length; i++) {
    const total = batch[i]!.sequence.length + batch[i]!.ids.length
    if (total > contextLength) {
      throw new SpoutError('data', `prompt: ${total} tokens, the context holds ${contextLength}`)
    }
  }
}

/** Rows of logits that a run is to give. @throws SpoutError `internal` for more than there is room for */
export function wantedRows(batch: readonly Part[]): number {
  let count = 0
  for (let i = 0; i < batch.length; i++) count += batch[i]!.wanted
  if (count > MOST_WANTED) throw new SpoutError('internal', `runner: ${count} rows of logits at once`)
  return count
}
