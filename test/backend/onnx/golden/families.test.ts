/** Families that transformers' own exporter turns into graphs: the ids of torch, however they are fed. */
import { describe, expect, test } from 'vitest'
import type { RuntimeChoice } from '../../../../src/onnx-runtime/open-runtime.ts'
import { familyModels } from '../../../support/family-models.ts'
import { continueGreedily, feed } from '../../../support/greedy.ts'
import { openModel } from '../../../support/open-onnx.ts'
import { checkRow, familyRow, writesTables } from './model-table.ts'

const RUNTIMES: readonly RuntimeChoice[] = ['c-api', 'node']

describe.each(RUNTIMES)('%s', (runtime) => {
  test.each(familyModels())('$family', async ({ family, unpack, config, prompts }) => {
    const path = unpack()
    const { backend, plan } = await openModel(path, { runtime, config })
    if (!writesTables) checkRow(familyRow(family, path), plan)
    for (const { ids, new_ids: expected } of prompts) {
      const prompt = Int32Array.from(ids)
      const middle = prompt.length >> 1
      const cache = backend.createCache()
      const ways = {
        whole: await feed(backend, cache, prompt).then(after),
        'after a step back': await back(middle, () => feed(backend, cache, prompt.subarray(middle))).then(
          after,
        ),
        'in pieces': await back(0, () => feed(backend, cache, prompt, 5)).then(after),
      }
      for (const [way, found] of Object.entries(ways)) expect(found, way).toEqual(expected)
      cache.dispose()

      async function after(logits: Awaited<ReturnType<typeof feed>>): Promise<number[]> {
        return continueGreedily(backend, cache, { logits, count: expected.length })
      }
      async function back<T>(length: number, then: () => Promise<T>): Promise<T> {
        cache.trim(length)
        return then()
      }
    }
    await backend.dispose()
  })
})
