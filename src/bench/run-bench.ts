/**
 * The order of a measurement: load every arm, warm each up, then take the samples of the schedule one by one. Each is handed
 * over as soon as there is one, so that whatever ends the run, what was measured is there.
 */
import { loadavg } from 'node:os'
import type { ArmSpec, EngineHooks } from './arm.ts'
import { ofArm } from './arm-error.ts'
import { type ArmSampler, sampleInProcess } from './arm-sampler.ts'
import { armsOf } from './arms.ts'
import type { BenchPlan, BenchRun } from './bench-run.ts'
import { describeEnvironment, type Environment } from './environment.ts'
import { type Figures, medianFigures } from './figures.ts'
import { sampleFresh } from './fresh-process.ts'
import { watchLoad } from './machine-load.ts'
import { ModelShelf } from './model-shelf.ts'
import { openArm } from './open-arm.ts'
import { hashIds, type Measured, type Sample } from './sample.ts'
import { makeSchedule, type Turn } from './schedule.ts'

export interface BenchIo {
  readonly signal: AbortSignal
  readonly hooks: EngineHooks
  /** Told what is being done, in a few words. */
  readonly onProgress: (text: string) => void
  /** All arms are loaded: from here on an abort leaves something to report. */
  readonly onStart: (environment: Environment) => void
  readonly onSample: (sample: Sample, ids: readonly number[]) => void
}

/**
 * @throws what hinders an arm from being loaded, before anything is measured. An arm that fails later ends the run, and so does
 * an abort: `ended` says so.
 */
export async function runBench(plan: BenchPlan, io: BenchIo): Promise<BenchRun> {
  const specs = armsOf(plan.comparisons)
  io.onProgress('hashing the model')
  const environment = await describeEnvironment(specs, plan.task.request, io.hooks)
  const shelf = new ModelShelf(io.hooks)
  const samplers = new Map<string, ArmSampler>()
  try {
    for (const spec of specs) {
      io.onProgress(`loading ${spec.name}`)
      samplers.set(spec.name, await openSampler(spec, { plan, shelf, io }))
    }
    io.onStart(environment)
    return await new Measurement(plan, { io, environment, samplers }).run()
  } finally {
    for (const sampler of samplers.values()) await sampler.dispose()
    await shelf.dispose()
  }
}

interface Opening {
  readonly plan: BenchPlan
  readonly shelf: ModelShelf
  readonly io: BenchIo
}

async function openSampler(spec: ArmSpec, { plan, shelf, io }: Opening): Promise<ArmSampler> {
  const { task } = plan
  if (plan.freshProcess) return sampleFresh({ spec, task })
  return sampleInProcess(await openArm(spec, { task, shelf, hooks: io.hooks }), task.tokens)
}

/** The requests of one side of a pair take about so long together: short ones are repeated. */
const SAMPLE_MS = 200
const MOST_REQUESTS = 20

interface Parts {
  readonly io: BenchIo
  readonly environment: Environment
  readonly samplers: ReadonlyMap<string, ArmSampler>
}

/** The state of one run. */
class Measurement {
  readonly #plan: BenchPlan
  readonly #parts: Parts
  readonly #samples: Sample[] = []
  readonly #ids = new Map<string, readonly number[]>()
  readonly #startedAt = performance.now()
  /** Requests of each side of a pair, by comparison. */
  readonly #requests: number[] = []

  constructor(plan: BenchPlan, parts: Parts) {
    this.#plan = plan
    this.#parts = parts
  }

  async run(): Promise<BenchRun> {
    let ended: BenchRun['ended'] = { how: 'complete' }
    try {
      await this.#warmUp()
      await this.#takeSamples()
    } catch (why) {
      const { signal } = this.#parts.io
      ended = signal.aborted ? { how: 'interrupted', why: signal.reason } : { how: 'failed', why }
    }
    return {
      plan: this.#plan,
      environment: this.#parts.environment,
      samples: this.#samples,
      ids: this.#ids,
      ended,
      seconds: (performance.now() - this.#startedAt) / 1000,
      loadAfter: loadavg(),
      peakRssBytes: 1024 * process.resourceUsage().maxRSS,
    }
  }

  async #warmUp(): Promise<void> {
    const { io, samplers } = this.#parts
    const times = new Map<string, number>()
    for (const [name, sampler] of samplers) {
      io.onProgress(`warming up ${name}`)
      times.set(name, await this.#guarded(name, () => sampler.warmUp(io.signal)))
    }
    for (const { arm, beside } of this.#plan.comparisons) {
      this.#requests.push(requestsFor(Math.min(times.get(arm.name)!, times.get(beside.name)!)))
    }
  }

  async #takeSamples(): Promise<void> {
    const { comparisons, pairs, seed } = this.#plan
    const turns = makeSchedule(comparisons.length, pairs, seed)
    for (let i = 0; i < turns.length; i += 2) {
      this.#parts.io.onProgress(this.#progress(i / 2, turns.length / 2))
      await this.#takePair([turns[i]!, turns[i + 1]!])
    }
  }

  /** The two sides by turns, request by request, the first and the second in turn first. */
  async #takePair(turns: readonly [Turn, Turn]): Promise<void> {
    const load = watchLoad()
    const measured: [Measured[], Measured[]] = [[], []]
    for (let i = 0; i < this.#requests[turns[0].of]!; i++) {
      for (const side of i % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        measured[side].push(await this.#measure(turns[side]))
      }
    }
    const otherCpuMs = measured.flat().reduce((sum, each) => sum + each.otherCpuMs, 0)
    const foreignShare = load.foreignShare(otherCpuMs)
    for (const side of [0, 1] as const) this.#keep(turns[side], measured[side], foreignShare)
  }

  #measure(turn: Turn): Promise<Measured> {
    const { io, samplers } = this.#parts
    const { name } = this.#plan.comparisons[turn.of]![turn.side]
    return this.#guarded(name, () => samplers.get(name)!.measure(io.signal))
  }

  #keep(turn: Turn, measured: readonly Measured[], foreignShare: number): void {
    const comparison = this.#plan.comparisons[turn.of]!
    const { name } = comparison[turn.side]
    const figures = measured.map((each) => each.figures)
    // If not all wrote the same, one that did not stands for them.
    const { ids } = measured.find((each) => hashIds(each.ids) !== hashIds(measured[0]!.ids)) ?? measured[0]!
    const sample: Sample = {
      ...{ arm: name, of: comparison.arm.name, side: turn.side, pair: turn.pair },
      ...{ times: figures.map(({ requestMs }) => requestMs), figures: medianFigures(figures) as Figures },
      ...{ idsHash: hashIds(ids), foreignShare, at: new Date().toISOString() },
    }
    this.#samples.push(sample)
    if (!this.#ids.has(name)) this.#ids.set(name, ids)
    this.#parts.io.onSample(sample, ids)
  }

  async #guarded<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { signal } = this.#parts.io
    // Signals are handled between turns of the event loop, and an arm may not give it one.
    await new Promise(setImmediate)
    signal.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      throw signal.aborted ? signal.reason : ofArm(name, error)
    }
  }

  #progress(done: number, total: number): string {
    const elapsed = (performance.now() - this.#startedAt) / 1000
    const left = done === 0 ? '' : `, about ${Math.ceil((elapsed / done) * (total - done))} s left`
    return `pair ${done + 1} of ${total}${left}`
  }
}

/** One, or an even number, so that each side is first as often as the other. */
function requestsFor(ms: number): number {
  const count = Math.min(MOST_REQUESTS, Math.round(SAMPLE_MS / ms))
  return count <= 1 ? 1 : count + (count % 2)
}
