/**
 * A model with a rope table for short texts and one for long: keys made with the one do not go with the other, so at
 * the crossing, in either direction, the text is run again. What follows is what a run over the whole text gives.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OnnxBackend } from '../../../../src/backend/onnx/onnx-backend.ts'
import { goldenFiles } from '../../../support/golden-models.ts'
import { argmax, continueGreedily, feed } from '../../../support/greedy.ts'
import { openModel } from '../../../support/open-onnx.ts'

const file = goldenFiles().find(({ family }) => family === 'phi3-longrope')
const CROSSING = 128

describe.skipIf(file === undefined)(`a text that crosses ${CROSSING} tokens (needs ../shared/data)`, () => {
  let backend: OnnxBackend
  let prompt: Int32Array

  beforeAll(async () => {
    const opened = await openModel(file!.path, { config: file!.folder })
    backend = opened.backend
    expect(opened.plan.ropeSwitch).toBe(CROSSING)
    const crossing = JSON.parse(readFileSync(join(file!.folder, '../crossing.json'), 'utf8')) as {
      ids: number[]
    }
    prompt = Int32Array.from(crossing.ids)
  })
  afterAll(() => backend?.dispose())

  async function rowOfWhole(ids: readonly number[]): Promise<number[]> {
    const cache = backend.createCache()
    const { row } = await backend.forward(Int32Array.from(ids), cache)
    const copy = [...row]
    cache.dispose()
    return copy
  }

  test('token by token it is what a run over the whole text gives', async () => {
    const cache = backend.createCache()
    let logits = await feed(backend, cache, prompt)
    const ids = [...prompt]
    while (ids.length < CROSSING + 12) {
      ids.push(argmax(logits))
      logits = await backend.forward(Int32Array.of(ids.at(-1)!), cache)
      const apart = (await rowOfWhole(ids)).map((value, i) => Math.abs(value - logits.row[i]!))
      expect(Math.max(...apart), `${ids.length} tokens`).toBeLessThan(1e-3)
    }
    cache.dispose()
  })

  test('back below the crossing the short table serves again', async () => {
    const cache = backend.createCache()
    const logits = await feed(backend, cache, prompt)
    const ids = await continueGreedily(backend, cache, { logits, count: CROSSING + 10 - prompt.length })
    cache.trim(prompt.length - 1)
    const again = await feed(backend, cache, prompt.subarray(prompt.length - 1))
    expect(await continueGreedily(backend, cache, { logits: again, count: ids.length })).toEqual(ids)
    cache.dispose()
  })

  test('a chunk of a prompt is long enough for the second table from the first run on', () => {
    expect(backend.prefillChunk).toBeGreaterThan(CROSSING)
  })
})
