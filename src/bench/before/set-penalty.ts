import type { Backend } from '../../backend/backend.ts'
import { createSampler, type Sampler } from '../../sampling/sampler.ts'
import type { SamplingOptions } from '../../sampling/sampling-params.ts'
import type { BeforeArm } from './before-arm.ts'

/** What both sides of a comparison about the penalty are given. */
export const PENALTY = {
  temperature: 0,
  repetitionPenalty: 1.1,
  repeatLastN: 64,
} as const satisfies SamplingOptions

export const setPenalty: BeforeArm = {
  name: 'set-penalty',
  standsFor: `the repetition penalty by a new Set of the last ${PENALTY.repeatLastN} ids and a copy of all logits at every token`,
  penalty: true,
  async open() {
    return { alter: (parts) => ({ ...parts, sampler: copyingSampler(parts.backend) }) }
  },
}

/** Chooses what the product chooses with the same penalty. */
function copyingSampler(backend: Backend): Sampler {
  const greedy = createSampler({ temperature: 0 }, backend)
  const ids: number[] = []
  return {
    seed: greedy.seed,
    logprobs: undefined,
    accept: (more) => void ids.push(...Array.from(more)),
    sample(logits) {
      const copy = logits.slice()
      for (const id of new Set(ids.slice(-PENALTY.repeatLastN))) copy[id] = penalized(copy[id]!)
      const id = greedy.sample(copy)
      ids.push(id)
      return id
    },
  }
}

const factor = Math.fround(PENALTY.repetitionPenalty)

function penalized(logit: number): number {
  return logit < 0 ? logit * factor : logit / factor
}
