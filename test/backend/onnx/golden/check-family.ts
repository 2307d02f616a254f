/** What every golden file is asked, on one runtime; the two test files beside this one name the runtime. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RuntimeChoice } from '../../../../src/onnx-runtime/open-runtime.ts'
import {
  type GoldenFile,
  type GoldenPrompt,
  goldenFiles,
  hasGoldenModels,
  NEEDS_DATA,
} from '../../../support/golden-models.ts'
import { continueGreedily, feed } from '../../../support/greedy.ts'
import { type OpenedModel, openModel } from '../../../support/open-onnx.ts'
import { checkRow, goldenRow, writesTables } from './model-table.ts'

const PIECE = 16
/** Ids that follow a prompt that went in by pieces, or in part again. */
const AFTER = 8

interface Asked {
  /** The prompts that also go in by pieces and are cut. */
  readonly few: readonly string[]
  /** Most ids of a prompt to compare. */
  readonly most?: number
}

export function checkGoldens(runtime: RuntimeChoice, asked: Asked): void {
  if (!hasGoldenModels) test.skip(`golden files ${NEEDS_DATA}`)
  for (const golden of goldenFiles()) {
    describe(`${golden.family} ${golden.file}`, () => {
      const opened = {} as { model: OpenedModel }
      beforeAll(async () => {
        opened.model = await openModel(golden.path, { runtime, config: golden.folder })
      })
      afterAll(() => opened.model?.backend.dispose())
      checkFile(golden, opened, asked)
      // What writes the table has no row to find.
      if (!writesTables) {
        test('has its row in docs/models.md', () => checkRow(goldenRow(golden), opened.model.plan))
      }
    })
  }
}

function checkFile(golden: GoldenFile, opened: { model: OpenedModel }, { few, most = 64 }: Asked): void {
  test('gives the ids of its golden', async () => {
    const { backend } = opened.model
    for (const prompt of golden.prompts) {
      const cache = backend.createCache()
      const logits = await feed(backend, cache, prompt.ids)
      const count = Math.min(prompt.certain, most)
      const ids = await continueGreedily(backend, cache, { logits, count })
      expect(ids, prompt.name).toEqual(prompt.newIds.slice(0, count))
      cache.dispose()
    }
  })
  const chosen = golden.prompts.filter((prompt) => few.includes(prompt.name))
  test.for(chosen)('$name in pieces gives the same', async (prompt, { skip }) => {
    skip(!opened.model.backend.exactSplits, 'dynamic int8: the logits depend on the pieces')
    await inPieces(opened.model, prompt)
  })
  test.each(chosen)('$name after a step back gives the same', (prompt) => afterTrim(opened.model, prompt))
}

async function inPieces({ backend }: OpenedModel, { ids, newIds, certain }: GoldenPrompt): Promise<void> {
  const cache = backend.createCache()
  const logits = await feed(backend, cache, ids, PIECE)
  const count = Math.min(AFTER, certain)
  expect(await continueGreedily(backend, cache, { logits, count })).toEqual(newIds.slice(0, count))
  cache.dispose()
}

/** Goes on to other ids, comes back to the middle of the prompt, and feeds what was cut off. */
async function afterTrim({ backend }: OpenedModel, { ids, newIds, certain }: GoldenPrompt): Promise<void> {
  const cache = backend.createCache()
  await feed(backend, cache, ids)
  await feed(backend, cache, ids.subarray(0, 5))
  // Where splits are not exact the prompt has to stay as it went in.
  const middle = backend.exactSplits ? ids.length >> 1 : ids.length
  cache.trim(middle)
  expect(cache.length).toBe(middle)
  const again = middle < ids.length ? ids.subarray(middle) : Int32Array.of(newIds[0]!)
  const skipped = middle < ids.length ? 0 : 1
  const logits = await feed(backend, cache, again)
  const count = Math.min(AFTER, certain - skipped)
  const expected = newIds.slice(skipped, skipped + count)
  expect(await continueGreedily(backend, cache, { logits, count })).toEqual(expected)
  cache.dispose()
}
