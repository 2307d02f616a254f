import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { makeRequest } from '../../src/engine/request.ts'
import { openEngine } from '../../src/open/open-engine.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { CHAT_MODEL } from '../support/models.ts'

const GENERATIONS = 2000

function residentBytes(): number {
  return Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4096
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
    // A cache of this model is 64 kB and more: one leaked per generation would be 128 MB.
    expect(residentBytes() - before.memory).toBeLessThan(24 * 2 ** 20)
    expect(descriptors()).toBeLessThanOrEqual(before.descriptors)
    await engine.dispose()
  },
)
