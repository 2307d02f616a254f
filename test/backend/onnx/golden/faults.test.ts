/** Graphs that a rewrite would change: the answer is that of the file itself. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadModelConfig } from '../../../../src/model/model-config.ts'
import { continueGreedily, feed } from '../../../support/greedy.ts'
import { hasShared, SHARED } from '../../../support/models.ts'
import { openModel } from '../../../support/open-onnx.ts'
import { plainGreedy } from '../../../support/plain-loop.ts'

const FOLDER = join(SHARED, 'faults')
const PROMPT = [1, 403, 407, 261, 378, 31, 56]

describe.skipIf(!hasShared).each(['lora-head', 'rows-mixed-after-head', 'initializer-twice'])(
  '%s (needs ../shared/data)',
  (name) => {
    const folder = join(FOLDER, name)
    const path = join(folder, 'onnx/model.onnx')

    test.each(['c-api', 'node'] as const)('over %s as plain ONNX Runtime has it', async (runtime) => {
      const expected = await plainGreedy(path, {
        prompt: PROMPT,
        count: 16,
        headDim: loadModelConfig(folder).headDim,
      })
      const { backend } = await openModel(path, { runtime, config: folder })
      const cache = backend.createCache()
      const logits = await feed(backend, cache, Int32Array.from(PROMPT))
      expect(await continueGreedily(backend, cache, { logits, count: 16 })).toEqual(expected)
      await backend.dispose()
    })
  },
)
