/** Heads in fp32 and fp16 of a trained model, in 8 bits: what it would say stays. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { OnnxBackend } from '../../../../src/backend/onnx/onnx-backend.ts'
import { decoderVariants } from '../../../../src/backend/onnx/open-decoder.ts'
import { makeFeedPlan } from '../../../../src/backend/onnx/plan/feed-plan.ts'
import { compareRows } from '../../../../src/backend/onnx/prepared/compare-rows.ts'
import { probe } from '../../../../src/backend/onnx/prepared/probe.ts'
import { openFirst } from '../../../../src/backend/onnx/variants.ts'
import { quantizeHead } from '../../../../src/graph-passes/quantize-head.ts'
import { loadModelConfig } from '../../../../src/model/model-config.ts'
import { type Graph, readGraphFile } from '../../../../src/onnx-file/graph-file.ts'
import { openCApiRuntime } from '../../../../src/onnx-runtime/c-session.ts'
import { hasGoldenModels } from '../../../support/golden-models.ts'
import { SHARED } from '../../../support/models.ts'
import { noTokenizer } from '../../../support/open-onnx.ts'

const FOLDER = join(SHARED, 'models/stories260K')
const session = { threads: 1, spinning: false }

async function rowsOf(graph: Graph, path: string, guide?: readonly Float32Array[]): Promise<Float32Array[]> {
  const config = loadModelConfig(join(path, '../..'))
  const source = { graph, path, options: session }
  const { opened } = await openFirst(decoderVariants(openCApiRuntime(), source, ['none']))
  const plan = makeFeedPlan({ session: opened.session, graph: opened.graph, config })
  const loaded = {
    ...opened,
    plan,
    fingerprint: '',
    exactRows: false,
    dispose: () => opened.session.dispose(),
  }
  const rows = await probe(new OnnxBackend(loaded, noTokenizer, config), guide)
  await loaded.dispose()
  return rows
}

test.skipIf(!hasGoldenModels).each(['concat/onnx/model_fp16.onnx', 'gqa/onnx/model.onnx'])(
  '%s (needs ../shared/data)',
  async (file) => {
    const path = join(FOLDER, file)
    const graph = readGraphFile(path)
    const quantized = quantizeHead(graph, { share: 0, bytes: 0 })
    expect(quantized).not.toBe(graph)
    // As it is taken by itself, a model in one precision keeps it.
    expect(quantizeHead(graph)).toBe(graph)
    const before = await rowsOf(graph, path)
    const after = await rowsOf(quantized, path, before)
    const { ok, divergence } = compareRows(before, after)
    expect(ok).toBe(true)
    expect(divergence).toBeGreaterThan(0)
  },
)
