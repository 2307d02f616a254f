/** Everything as one document: the environment, what was compared and found, every figure of every sample. */

import { toJson } from '../../system/text-display.ts'
import type { ArmSpec } from '../arm.ts'
import { noiseFloor, verdictText } from '../statistics/verdict.ts'
import type { AgainstRow, BenchReport, ComparisonRow, Judged } from './report.ts'

export function json(report: BenchReport): string {
  const { run, noise, rows, arms, against } = report
  const { plan, environment, ended, samples, ids } = run
  const document = {
    ended: ended.how,
    ...(ended.how === 'failed' ? { error: (ended.why as Error).message } : {}),
    seconds: run.seconds,
    peakRssBytes: run.peakRssBytes,
    environment: { ...environment, loadAfter: run.loadAfter },
    plan: {
      pairs: plan.pairs,
      tokens: plan.task.tokens,
      seed: String(plan.seed),
      freshProcess: plan.freshProcess,
      resolution: plan.resolution,
    },
    noise: noise === undefined ? null : { ...noise, floor: noiseFloor(noise) },
    comparisons: rows.map(comparisonDocument),
    arms: arms.map(({ spec, samples, figures }) => ({
      ...armDocument(spec),
      samples,
      figures,
      ids: ids.get(spec.name) ?? [],
    })),
    against: against.map(againstDocument),
    samples,
  }
  return `${toJson(document, 1)}\n`
}

function armDocument({ name, standsFor, settings }: ArmSpec) {
  return { name, standsFor, settings }
}

function comparisonDocument({ spec, pairs, marked, extraMs, judged, ids }: ComparisonRow) {
  return {
    arm: spec.arm.name,
    beside: spec.beside.name,
    pairs,
    markedPairs: marked,
    extraMs: extraMs ?? null,
    ...judgedDocument(judged),
    ids,
  }
}

function judgedDocument(judged: Judged | undefined) {
  if (judged === undefined) return { comparison: null, pHolm: null, verdict: null, verdictText: null }
  const { comparison, p, verdict } = judged
  return { comparison, pHolm: p, verdict, verdictText: verdictText(verdict) }
}

function againstDocument({ judged, ...row }: AgainstRow) {
  return { interleaved: false, ...row, ...judgedDocument(judged) }
}
