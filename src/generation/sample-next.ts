import { SpoutError } from '../errors.ts'
import type { Sampler } from '../sampling/sampler.ts'

/**
 * The one way an id is chosen, for the first token as for every other.
 * @throws SpoutError `failed` naming the step, when the logits are not finite.
 */
export function sampleNext(row: Float32Array, sampler: Sampler): number {
  try {
    return sampler.sample(row)
  } catch (cause) {
    if (!(cause instanceof SpoutError) || cause.code !== 'failed') throw cause
    throw new SpoutError('failed', `the model's scores are not numbers: ${cause.message}`, {
      hint: 'another --dtype, or check the files: spout models verify',
      cause,
    })
  }
}
