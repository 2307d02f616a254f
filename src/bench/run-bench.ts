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
import { sampleFresh } from './fresh-process.ts'
import { ModelShelf } from './model-shelf.ts'
import { openArm } from './open-arm.ts'
import { hashIds, type Sample } from './sample.ts'
import { makeSchedule, type Turn } from './schedule.ts'

export interface BenchDoor {
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
export async function runBench(plan: BenchPlan, door: BenchDoor): Promise<BenchRun> {
  const specs = armsOf(plan.comparisons)
  door.onProgress('hashing the model')
  const environment = await describeEnvironment(specs, door.hooks)
  const shelf = new ModelShelf(door.hooks)
  const samplers = new Map<string, ArmSampler>()
  try {
    for (const spec of specs) {
      door.onProgress(`loading ${spec.name}`)
      samplers.set(spec.name, await openSampler(spec, { plan, shelf, door }))
    }
    door.onStart(environment)
    return await new Measurement(plan, { door, environment, samplers }).run()
  } finally {
    for (const sampler of samplers.values()) await sampler.dispose()
    await shelf.dispose()
  }
}

interface Opening {
  readonly plan: BenchPlan
  readonly shelf: ModelShelf
  readonly door: BenchDoor
}

async function openSampler(spec: ArmSpec, { plan, shelf, door }: Opening): Promise<ArmSampler> {
  const { task } = plan
  if (plan.freshProcess) return sampleFresh({ spec, task })
  return sampleInProcess(await openArm(spec, { task, shelf, hooks: door.hooks }), task.tokens)
}

/** A sample lasts about so long: short requests are repeated in it. */
const SAMPLE_MS = 300
const MOST_REQUESTS = 20

interface Parts {
  readonly door: BenchDoor
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
  /** Requests in one sample, the same for both sides of a comparison. */
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
      const { signal } = this.#parts.door
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
    const { door, samplers } = this.#parts
    const times = new Map<string, number>()
    for (const [name, sampler] of samplers) {
      door.onProgress(`warming up ${name}`)
      times.set(name, await this.#guarded(name, () => sampler.warmUp(door.signal)))
    }
    for (const { arm, beside } of this.#plan.comparisons) {
      const quicker = Math.min(times.get(arm.name)!, times.get(beside.name)!)
      this.#requests.push(Math.min(MOST_REQUESTS, Math.max(1, Math.ceil(SAMPLE_MS / quicker))))
    }
  }

  async #takeSamples(): Promise<void> {
    const { comparisons, pairs, seed } = this.#plan
    const turns = makeSchedule(comparisons.length, pairs, seed)
    for (const [i, turn] of turns.entries()) {
      this.#parts.door.onProgress(this.#progress(i, turns.length))
      await this.#take(turn)
    }
  }

  async #take(turn: Turn): Promise<void> {
    const { door, samplers } = this.#parts
    const comparison = this.#plan.comparisons[turn.of]!
    const { name } = comparison[turn.side]
    const measured = await this.#guarded(name, () =>
      samplers.get(name)!.sample(this.#requests[turn.of]!, door.signal),
    )
    const { figures, ids, requests, foreignShare } = measured
    const sample: Sample = {
      ...{ arm: name, of: comparison.arm.name, side: turn.side, pair: turn.pair },
      ...{ requests, figures, idsHash: hashIds(ids), foreignShare, at: new Date().toISOString() },
    }
    this.#samples.push(sample)
    if (!this.#ids.has(name)) this.#ids.set(name, ids)
    door.onSample(sample, ids)
  }

  async #guarded<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { signal } = this.#parts.door
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
    return `sample ${done + 1} of ${total}${left}`
  }
}
