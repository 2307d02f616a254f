/** What a run says: each comparison judged, each arm's figures. Every format is written from this. */
import type { ArmSpec, ComparisonSpec } from '../arm.ts'
import { armsOf } from '../arms.ts'
import type { BenchRun } from '../bench-run.ts'
import { type Figures, medianFigures } from '../figures.ts'
import { FOREIGN_SHARE } from '../machine-load.ts'
import type { Sample } from '../sample.ts'
import type { SavedRun } from '../sample-file.ts'
import {
  type Comparison,
  compareApart,
  compareRatios,
  type Summary,
  summarize,
} from '../statistics/comparison.ts'
import { holm } from '../statistics/holm.ts'
import { median } from '../statistics/summary.ts'
import { judge, noiseFloor, type Verdict } from '../statistics/verdict.ts'
import { compareIds, type IdsAgreement } from './ids-agreement.ts'

export interface BenchReport {
  readonly run: BenchRun
  /** The baseline beside itself; `undefined` before there are two pairs. */
  readonly noise: Comparison | undefined
  readonly rows: readonly ComparisonRow[]
  readonly arms: readonly ArmRow[]
  /** Beside samples of another time. */
  readonly against: readonly AgainstRow[]
}

export interface Judged {
  readonly comparison: Comparison
  /** After Holm's correction. */
  readonly p: number
  readonly verdict: Verdict
}

/** Milliseconds per request of the arm and of what it is beside. */
interface Medians {
  readonly arm: number
  readonly beside: number
}

interface Pair extends Medians {
  /** Of neighbours, the logarithm: above 0 where the arm takes longer. */
  readonly logRatio: number
  /** Of neighbours, the difference in milliseconds. */
  readonly moreMs: number
}

export interface ComparisonRow {
  readonly spec: ComparisonSpec
  readonly pairs: readonly Pair[]
  /** Pairs taken under foreign load. */
  readonly marked: number
  /** Milliseconds per request. */
  readonly medians: Medians | undefined
  /** Milliseconds per request more than what it is beside. */
  readonly extraMs: Summary | undefined
  readonly judged: Judged | undefined
  readonly ids: IdsAgreement
}

export interface ArmRow {
  readonly spec: ArmSpec
  readonly samples: number
  /** The median of each figure; `null` where no sample has it. */
  readonly figures: { readonly [K in keyof Figures]: number | null }
}

export interface AgainstRow {
  readonly arm: string
  readonly nowMs: number
  readonly thenMs: number
  readonly judged: Judged | undefined
  readonly sameIds: boolean
  readonly sameModel: boolean
}

export function makeReport(run: BenchRun, saved?: SavedRun): BenchReport {
  const noiseSpec = run.plan.comparisons.find(({ noise }) => noise)
  const noise = noiseSpec && compareRatios(ratiosOf(pairsOf(run, noiseSpec).pairs))
  return {
    run,
    noise,
    rows: comparisonRows(run, noise),
    arms: armsOf(run.plan.comparisons).map((spec) => armRow(spec, run.samples)),
    against: saved === undefined ? [] : againstRows(run, { saved, noise }),
  }
}

function comparisonRows(run: BenchRun, noise: Comparison | undefined): ComparisonRow[] {
  const specs = run.plan.comparisons.filter((spec) => !spec.noise)
  const all = specs.map((spec) => ({ spec, ...pairsOf(run, spec) }))
  const judged = judgeAll(
    all.map(({ pairs }) => compareRatios(ratiosOf(pairs))),
    { noise, resolution: run.plan.resolution },
  )
  return all.map(({ spec, pairs, marked }, i) => ({
    spec,
    pairs,
    marked,
    medians: mediansOf(pairs),
    extraMs: summarize(pairs.map(({ moreMs }) => moreMs)),
    judged: judged[i],
    ids: compareIds(run, spec),
  }))
}

interface Court {
  readonly noise: Comparison | undefined
  readonly resolution: number
}

function judgeAll(comparisons: readonly (Comparison | undefined)[], court: Court): (Judged | undefined)[] {
  const adjusted = holm(comparisons.map((comparison) => comparison?.p ?? 1))
  const floor = court.noise === undefined ? 0 : noiseFloor(court.noise)
  const floorSpread = court.noise?.spread ?? 0
  return comparisons.map((comparison, i) => {
    if (comparison === undefined) return undefined
    const p = adjusted[i]!
    const { resolution } = court
    return { comparison, p, verdict: judge({ comparison, p, floor, floorSpread, resolution }) }
  })
}

/** The pairs of which both halves were measured. */
function pairsOf({ samples, plan }: BenchRun, { arm }: ComparisonSpec): { pairs: Pair[]; marked: number } {
  const ours = samples.filter(({ of }) => of === arm.name)
  const halves = new Map(ours.map((sample) => [`${sample.side} ${sample.pair}`, sample]))
  const pairs: Pair[] = []
  let marked = 0
  for (let pair = 0; pair < plan.pairs; pair++) {
    const [a, b] = [halves.get(`arm ${pair}`), halves.get(`beside ${pair}`)]
    if (a === undefined || b === undefined) continue
    pairs.push(pairOf(a, b))
    if (Math.max(a.foreignShare, b.foreignShare) > FOREIGN_SHARE) marked++
  }
  return { pairs, marked }
}

/**
 * Medians over the requests: of each side, and of what lies between neighbours, which a disturbance of some of them or a
 * drift of all does not move.
 */
function pairOf({ times, figures }: Sample, beside: Sample): Pair {
  const between = (by: (arm: number, beside: number) => number): number =>
    median(times.map((time, i) => by(time, beside.times[i]!)))!
  return {
    arm: figures.requestMs,
    beside: beside.figures.requestMs,
    logRatio: between((a, b) => Math.log(a / b)),
    moreMs: between((a, b) => a - b),
  }
}

const ratiosOf = (pairs: readonly Pair[]): number[] => pairs.map(({ logRatio }) => logRatio)

function mediansOf(pairs: readonly Pair[]): Medians | undefined {
  const [arm, beside] = [median(pairs.map((pair) => pair.arm)), median(pairs.map((pair) => pair.beside))]
  return arm === undefined || beside === undefined ? undefined : { arm, beside }
}

function armRow(spec: ArmSpec, samples: readonly Sample[]): ArmRow {
  const figures = samples.filter(({ arm }) => arm === spec.name).map((sample) => sample.figures)
  return {
    spec,
    samples: figures.length,
    figures: medianFigures(figures),
  }
}

interface Before {
  readonly saved: SavedRun
  readonly noise: Comparison | undefined
}

function againstRows(run: BenchRun, { saved, noise }: Before): AgainstRow[] {
  const comparisons = run.plan.comparisons.filter(({ noise }) => !noise)
  const names = armsOf(comparisons).map(({ name }) => name)
  const both = names.filter((name) =>
    [run, saved].every(({ samples }) => samples.some(({ arm }) => arm === name)),
  )
  const times = both.map(
    (name) => [run, saved].map(({ samples }) => timesOf(samples, name)) as [number[], number[]],
  )
  const judged = judgeAll(
    times.map(([now, then]) => compareApart(now, then)),
    { noise, resolution: run.plan.resolution },
  )
  return both.map((arm, i) => ({
    arm,
    nowMs: median(times[i]![0])!,
    thenMs: median(times[i]![1])!,
    judged: judged[i],
    sameIds: hashesOf(run.samples, arm) === hashesOf(saved.samples, arm),
    sameModel: modelOf(run, arm) === modelOf(saved, arm),
  }))
}

function timesOf(samples: readonly Sample[], name: string): number[] {
  return samples.filter(({ arm }) => arm === name).map(({ figures }) => figures.requestMs)
}

function hashesOf(samples: readonly Sample[], name: string): string {
  const hashes = samples.filter(({ arm }) => arm === name).map(({ idsHash }) => idsHash)
  return [...new Set(hashes)].sort().join()
}

function modelOf({ environment }: Pick<BenchRun, 'environment'>, name: string): string | undefined {
  return environment.arms.find((arm) => arm.name === name)?.model?.sha256
}
