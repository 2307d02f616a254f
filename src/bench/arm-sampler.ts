/** Measures requests of an arm that is loaded in this process. */
import { countAllocation } from './allocation.ts'
import type { LoadedArm } from './arm.ts'
import { cleanHeap } from './clean-heap.ts'
import { figuresOf } from './figures.ts'
import type { Measured } from './sample.ts'

/** Where the requests of an arm are measured. */
export interface ArmSampler {
  /** Some requests that do not count. Gives the milliseconds of the last. */
  warmUp(signal?: AbortSignal): Promise<number>
  measure(signal?: AbortSignal): Promise<Measured>
  dispose(): Promise<void>
}

/** Tokens that are generated and not counted before each request: caches and threads are then this arm's. */
const LEAD_IN = 4
/** Requests: what V8 compiles late, it has compiled by then. */
const WARM_UPS = 5

export function sampleInProcess(arm: LoadedArm, tokens: number): ArmSampler {
  return {
    async warmUp(signal) {
      let last = 0
      for (let i = 0; i < WARM_UPS; i++) last = (await arm.run({ tokens, signal })).ms
      return last
    },
    async measure(signal) {
      cleanHeap()
      await arm.run({ tokens: Math.min(LEAD_IN, tokens), signal })
      const allocation = countAllocation()
      const record = await arm.run({ tokens, signal })
      const around = { loadMs: arm.loadMs, peakRssBytes: null, allocatedBytes: allocation.stop() }
      return { figures: figuresOf(record, around), ids: record.ids, otherCpuMs: 0 }
    },
    dispose: () => arm.dispose(),
  }
}
