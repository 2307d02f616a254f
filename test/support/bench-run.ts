/** Runs of --bench that were never measured: their times are made up, with a seed. */
import type { ArmSpec, ComparisonSpec } from '../../src/bench/arm.ts'
import type { BenchRun } from '../../src/bench/bench-run.ts'
import { noiseComparison, productArm } from '../../src/bench/built-in-arms.ts'
import type { Figures } from '../../src/bench/figures.ts'
import { hashIds, type Sample } from '../../src/bench/sample.ts'
import { makeSchedule } from '../../src/bench/schedule.ts'
import { makeRequest } from '../../src/engine/request.ts'
import { Generator } from '../../src/sampling/rng.ts'

export interface MadeUpRun {
  readonly pairs?: number
  readonly seed?: bigint
  /** How much longer than the baseline an arm takes, as a share. Default: one arm, as fast. */
  readonly slower?: Readonly<Record<string, number>>
  /** Standard deviation of the logarithm of one sample. Default 0.02. */
  readonly spread?: number
  /** Ids of an arm; default 1, 2, 3. */
  readonly ids?: Readonly<Record<string, readonly number[]>>
  readonly ended?: BenchRun['ended']
  /** How many samples were taken before it ended. */
  readonly taken?: number
  readonly resolution?: number
}

export function madeUpRun(input: MadeUpRun = {}): BenchRun {
  const { pairs = 20, seed = 1n, slower = { other: 0 }, ids = {}, ended = { how: 'complete' } } = input
  const comparisons = comparisonsOf(Object.keys(slower))
  const noise = new Noise(seed, input.spread ?? 0.02)
  const idsOf = (arm: string): readonly number[] => ids[arm] ?? [1, 2, 3]
  const turns = makeSchedule(comparisons.length, pairs, seed).slice(0, input.taken)
  const samples = turns.map(({ of, side, pair }): Sample => {
    const { name } = comparisons[of]![side]
    const requestMs = 50 * (1 + (slower[name] ?? 0)) * Math.exp(noise.next())
    return {
      ...{ arm: name, of: comparisons[of]!.arm.name, side, pair, times: [requestMs] },
      ...{ figures: figures(requestMs), idsHash: hashIds(idsOf(name)) },
      ...{ foreignShare: 0, at: '2026-01-01T00:00:00.000Z' },
    }
  })
  const arms = comparisons.flatMap(({ arm, beside }) => [arm, beside])
  return {
    plan: {
      comparisons,
      task: { request: makeRequest({ prompt: 'x' }), tokens: 3 },
      ...{ pairs, seed, freshProcess: false, resolution: input.resolution ?? 0.03 },
    },
    environment: environmentOf(arms),
    samples,
    ids: new Map(arms.map(({ name }) => [name, idsOf(name)])),
    ...{ ended, seconds: 1, loadAfter: [0, 0, 0], peakRssBytes: 2 ** 27 },
  }
}

function comparisonsOf(names: readonly string[]): ComparisonSpec[] {
  const product = productArm({})
  const others = names.map((name) => ({ arm: productArm({}, name), beside: product }))
  return [noiseComparison(others), ...others]
}

function figures(requestMs: number): Figures {
  return {
    ...{ promptTokens: 5, tokens: 3, requestMs, loadMs: 10, prefillMs: 2, prefillTps: 2500, ttftMs: 3 },
    ...{ decodeMs: 1, decodeP95Ms: 2, samplingShare: 0.01, textShare: 0.02 },
    ...{ peakRssBytes: null, allocatedPerToken: 1000 },
  }
}

function environmentOf(arms: readonly ArmSpec[]): BenchRun['environment'] {
  const kernels = { matmul: 'own', attention: 'own', isa: 'avx2' } as const
  const runs = { runtime: 'c-api', threads: 2, device: 'cpu', kernels, prepared: true, refused: [] } as const
  const model = { id: 'made-up', revision: null, dtype: 'q4', sha256: 'ab'.repeat(32), bytes: 2 ** 20 }
  return {
    ...{
      date: '2026-01-01T00:00:00.000Z',
      cpu: 'a, "processor" | of <one> core',
      cores: 2,
      memoryBytes: 2 ** 34,
    },
    ...{ system: 'Linux x64', node: 'v20.0.0', onnxRuntime: '1.0.0', loadBefore: [0, 0, 0] },
    arms: arms.map(({ name, standsFor }) => ({
      ...{ name, standsFor, model, threads: 2, runtime: 'c-api', runs },
      ...{ hasChatTemplate: true, isChat: false },
    })),
  }
}

/** Normal, and now and then much later, as on a machine where others work. */
class Noise {
  readonly #generator: Generator
  readonly #spread: number

  constructor(seed: bigint, spread: number) {
    this.#generator = new Generator(seed)
    this.#spread = spread
  }

  next(): number {
    const late = this.#coin() < 0.03 ? 4 * this.#spread * this.#coin() : 0
    const radius = Math.sqrt(-2 * Math.log(1 - this.#coin()))
    return late + this.#spread * radius * Math.cos(2 * Math.PI * this.#coin())
  }

  #coin(): number {
    this.#generator.flip()
    return this.#generator.coin
  }
}
