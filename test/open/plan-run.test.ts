import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makeRequest } from '../../src/engine/request.ts'
import { planRun } from '../../src/open/plan-run.ts'
import { CHAT_MODEL } from '../support/models.ts'
import { onnxBytes } from '../support/tiny-onnx.ts'

const model = mkdtempSync(join(tmpdir(), 'spout-plan-'))
afterAll(() => rmSync(model, { recursive: true }))

test('bytes of keys and values are those of the graph, whatever config.json or the dtype would make of them', async () => {
  cpSync(CHAT_MODEL.folder, model, { recursive: true })
  writeFileSync(join(model, 'onnx/model_q4f16.onnx'), onnxBytes())
  const request = makeRequest({ prompt: 'Hello', raw: true, maxTokens: 10 })
  const plan = await planRun(request, { model, dtype: 'q4f16', offline: true, prepare: false })
  // A key and a value of two heads of eight numbers in fp32.
  expect(plan.kvBytes).toBe(2 * 2 * 8 * 4 * (plan.promptTokens + 10))
})
