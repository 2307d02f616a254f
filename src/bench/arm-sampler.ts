/** Takes samples of an arm that is loaded in this process. */
import { collectGarbage } from '../tidy-heap.ts'
import { countAllocation } from './allocation.ts'
import type { LoadedArm, RequestRecord } from './arm.ts'
import { figuresOf } from './figures.ts'
import { watchLoad } from './machine-load.ts'
import type { Measured } from './sample.ts'

/** Where samples of an arm come from. */
export interface ArmSampler {
  /** Until it runs as it will from then on. Gives the milliseconds of a request. */
  warmUp(signal?: AbortSignal): Promise<number>
  /** @param requests as many, one after the other, in one sample. */
  sample(requests: number, signal?: AbortSignal): Promise<Measured>
  dispose(): Promise<void>
}

/** Tokens that are generated and not counted before each sample: caches and threads are then this arm's. */
const LEAD_IN = 4
const WARM_UPS = 3

export function sampleInProcess(arm: LoadedArm, tokens: number): ArmSampler {
  return {
    async warmUp(signal) {
      let last = 0
      for (let i = 0; i < WARM_UPS; i++) last = (await arm.run({ tokens, signal })).ms
      return last
    },
    async sample(requests, signal) {
      // What the arm before has left behind is not for this one to clear away.
      collectGarbage()
      await arm.run({ tokens: Math.min(LEAD_IN, tokens), signal })
      const allocation = countAllocation()
      const load = watchLoad()
      const records = await repeat(requests, () => arm.run({ tokens, signal }))
      const foreignShare = load.foreignShare()
      const around = { loadMs: arm.loadMs, peakRssBytes: null, allocatedBytes: allocation.stop() }
      return { figures: figuresOf(records, around), ids: records[0]!.ids, requests, foreignShare }
    },
    dispose: () => arm.dispose(),
  }
}

async function repeat(times: number, run: () => Promise<RequestRecord>): Promise<RequestRecord[]> {
  const records: RequestRecord[] = []
  for (let i = 0; i < times; i++) records.push(await run())
  return records
}
