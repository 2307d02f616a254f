/** A head in 8 bits is accepted where the answers stay, and said; where they do not, the head is left as it is. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compareRows } from '../../src/backend/onnx/prepared/compare-rows.ts'
import { equalRows, probe } from '../../src/backend/onnx/prepared/probe.ts'
import { encodeGraph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { openBackend } from '../../src/open/open-engine.ts'
import { prepareModel } from '../../src/open/prepare-model.ts'
import { TINY_MODEL } from '../support/models.ts'
import { withPlantedHead } from '../support/planted-head.ts'

const root = mkdtempSync(join(tmpdir(), 'spout-prepare-head-'))
const model = join(root, 'model')
const EVERY = { share: 0, bytes: 0 }
const before = process.env.SPOUT_CACHE_DIR

beforeAll(() => {
  cpSync(TINY_MODEL.folder, model, { recursive: true })
  const planted = withPlantedHead(readGraphFile(TINY_MODEL.fp32))
  writeFileSync(join(model, 'onnx/model_fp16.onnx'), encodeGraph(planted))
  process.env.SPOUT_CACHE_DIR = join(root, 'cache')
})
afterAll(() => {
  if (before === undefined) delete process.env.SPOUT_CACHE_DIR
  else process.env.SPOUT_CACHE_DIR = before
  rmSync(root, { recursive: true, force: true })
})

async function answers(dtype: 'fp32' | 'fp16', prepare: boolean, guide?: Float32Array[]) {
  const { backend } = await openBackend({ model, dtype, offline: true, prepare })
  const rows = await probe(backend, guide)
  await backend.dispose()
  return rows
}

test.each([
  ['fp32', {}, []],
  ['fp32', { headLimits: EVERY, precise: true }, []],
  ['fp32', { headLimits: EVERY, again: true }, ['8-bit head']],
  ['fp16', { headLimits: EVERY }, ['head as it is: 8 bits changed the answers']],
] as const)('%s with %o: %o', async (dtype, options, changes) => {
  const { outcome, prepared } = await prepareModel({ model, dtype, offline: true, ...options })
  expect(outcome).toBe('prepared')
  expect(prepared.manifest.changes).toEqual(changes)
  const plain = await answers(dtype, false)
  const rows = await answers(dtype, true, plain)
  expect(compareRows(plain, rows).ok).toBe(true)
  expect(equalRows(plain, rows)).toBe(!(changes as readonly string[]).includes('8-bit head'))
})
