import { loadSession } from '../../src/backend/onnx/load-session.ts'
import { OnnxBackend } from '../../src/backend/onnx/onnx-backend.ts'
import type { FeedPlan } from '../../src/backend/onnx/plan/feed-plan.ts'
import { loadModelConfig } from '../../src/model/model-config.ts'
import type { ModelConfig } from '../../src/model/resolved-model.ts'
import { openRuntime, type RuntimeChoice } from '../../src/onnx-runtime/open-runtime.ts'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts'

export interface OpenedModel {
  readonly backend: OnnxBackend
  readonly plan: FeedPlan
}

/** A tokenizer for tests that see ids only. */
export const noTokenizer = { vocabSize: 0 } as Tokenizer

/** A backend of one thread, without a tokenizer. */
export async function openModel(
  path: string,
  { runtime = 'c-api', config }: { runtime?: RuntimeChoice; config: ModelConfig | string },
): Promise<OpenedModel> {
  const known = typeof config === 'string' ? loadModelConfig(config) : config
  const opened = await openRuntime(runtime)
  const loaded = await loadSession(opened, path, known, { threads: 1, spinning: false, precise: true })
  return { backend: new OnnxBackend(loaded, noTokenizer, known), plan: loaded.plan }
}

/** What a config.json says that is empty. */
export const emptyConfig: ModelConfig = {
  modelType: undefined,
  vocabSize: undefined,
  contextLength: undefined,
  hiddenSize: undefined,
  layers: undefined,
  attentionHeads: undefined,
  kvHeads: undefined,
  headDim: undefined,
  eosTokenIds: [],
  generation: {},
  raw: {},
}
