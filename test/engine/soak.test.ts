import { readdirSync, readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { makeRequest } from '../../src/engine/request.ts'
import { openEngine } from '../../src/open/open-engine.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { CHAT_MODEL } from '../support/models.ts'

const GENERATIONS = Number(process.env.SPOUT_SOAK_RUNS ?? 600)

/** What is in use once garbage is gone: of V8's heap not what it has reserved, which grows in steps of many MB. */
function residentBytes(): number {
  collect()
  const { heapTotal, heapUsed } = process.memoryUsage()
  return Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4096 - heapTotal + heapUsed
}

function collect(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

const descriptors = (): number => readdirSync('/proc/self/fd').length

test.skipIf(process.platform !== 'linux')(
  `${GENERATIONS} generations in one process leave memory and descriptors as they were (needs Linux)`,
  { timeout: 240_000 },
  async () => {
    const engine = await openEngine({ model: CHAT_MODEL.folder, threads: 1 })
    const generations = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        // Prompts of other lengths each time, as in a day's work; some end by themselves, some by length.
        const request = makeRequest({ prompt: `Line ${i} ${'word '.repeat(i % 40)}`, maxTokens: 6 })
        await engine.generate(request, { sink: collectingSink() })
      }
    }
    await generations(GENERATIONS / 4)
    const before = { memory: residentBytes(), descriptors: descriptors() }
    await generations(GENERATIONS)
    // A cache of this model is 64 kB and more: one leaked per generation would be 38 MB.
    expect(residentBytes() - before.memory).toBeLessThan(24 * 2 ** 20)
    expect(descriptors()).toBeLessThanOrEqual(before.descriptors)
    await engine.dispose()
  },
)
