/**
 * One pass over a row of logits, shape [vocabSize]: what is the best score, and how low may a score be to matter?
 * Every pass finds NaN on its way, because NaN fails the comparison that nearly every logit passes.
 */
import { SpoutError } from '../errors.ts'
import { type Candidates, LOWEST } from './candidates.ts'
import { expMinus, STEPS, STEPS_PER_UNIT, stepOf } from './exponential.ts'
import { nextAbove, selectLargest } from './selection.ts'

/** Sets `best` and `floor` of the candidates; false when the row cannot be sampled. */
export type Scan = (logits: Float32Array, candidates: Candidates) => boolean

/** The logit to beat. A cell, since a double passed as an argument may become a heap object. */
const bar = new Float32Array(1)

/** The lowest id among those of the greatest logit; -1 when the row cannot be sampled. */
export function argmax(logits: Float32Array): number {
  let bestId = -1
  bar[0] = -Infinity
  for (let id = nextAbove(logits, 0, bar); id < logits.length; id = nextAbove(logits, id + 1, bar)) {
    if (Number.isNaN(logits[id])) return -1
    bar[0] = logits[id]!
    bestId = id
  }
  return bar[0] === Infinity ? -1 : bestId
}

/** Why a row cannot be sampled. @param ids of its scores, where it is not as long as the vocabulary */
export function refuseRow(logits: Float32Array, step: number, ids?: Int32Array): SpoutError {
  const at = logits.findIndex((logit) => Number.isNaN(logit) || logit === Infinity)
  const detail =
    at < 0
      ? 'every id is at -Infinity, none can be chosen'
      : `the logit of id ${ids?.[at] ?? at} is ${logits[at]}`
  return new SpoutError('failed', `step ${step}: ${detail}`)
}

/** Every finite score matters. */
export const scanAll: Scan = (logits, candidates) => {
  const id = argmax(logits)
  if (id < 0) return false
  candidates.best = Math.fround(logits[id]! / candidates.temperature)
  candidates.floor = LOWEST
  candidates.rowTotal = 0
  return true
}

/**
 * The k-th largest score is the floor, so that all ties of it stay. Logits above the k-th largest so far are
 * collected; whenever the buffer is full, selection keeps k of them: linear in the row, whatever k and the order.
 */
export function makeTopKScan(k: number): Scan {
  const buffer = new Float32Array(Math.max(1024, 4 * k))
  return (logits, candidates) => {
    let count = 0
    let best = -Infinity
    bar[0] = -Infinity
    for (let id = nextAbove(logits, 0, bar); id < logits.length; id = nextAbove(logits, id + 1, bar)) {
      const logit = logits[id]!
      if (Number.isNaN(logit)) return false
      if (logit > best) best = logit
      buffer[count++] = logit
      if (count < buffer.length) continue
      selectLargest(buffer, count, k)
      count = k
      bar[0] = buffer[k - 1]!
    }
    if (!Number.isFinite(best)) return false
    candidates.best = Math.fround(best / candidates.temperature)
    candidates.floor = LOWEST
    candidates.rowTotal = 0
    if (count < k) return true
    selectLargest(buffer, count, k)
    candidates.floor = Math.max(LOWEST, Math.fround(buffer[k - 1]! / candidates.temperature))
    return true
  }
}

/** Every probability of at least `minP` times the best one's matters. The margin leaves the exact cut to the filter. */
export function makeMinPScan(minP: number): Scan {
  const depth = -Math.log(minP) + 1e-6
  return (logits, candidates) => {
    if (!scanAll(logits, candidates)) return false
    candidates.floor = candidates.best - depth
    return true
  }
}

/**
 * Adds up the mass of the row by steps of depth, and sets the floor one step (for rounding) under the step in which
 * `topP` of it is reached. What lies below still counts: the filter that cuts exactly needs the mass of the row.
 */
export function makeTopPScan(topP: number): Scan {
  const masses = new Float64Array(STEPS)
  return (logits, candidates) => {
    if (!scanAll(logits, candidates)) return false
    addMasses(logits, candidates, masses)
    let total = 0
    for (let step = STEPS - 1; step >= 0; step--) total += masses[step]!
    let step = 0
    for (let left = topP * total; left > 0 && step < STEPS; ) left -= masses[step++]!
    candidates.rowTotal = total
    if (step + 1 < STEPS) candidates.floor = candidates.best - (step + 0.5) / STEPS_PER_UNIT
    return true
  }
}

/** The mass of the row per step of depth; the last step holds everything deeper. */
function addMasses(logits: Float32Array, candidates: Candidates, masses: Float64Array): void {
  const { best, temperature } = candidates
  masses.fill(0)
  for (let id = 0; id < logits.length; id++) {
    const depth = best - Math.fround(logits[id]! / temperature)
    const step = stepOf(depth)
    masses[step] = masses[step]! + expMinus(depth)
  }
}
