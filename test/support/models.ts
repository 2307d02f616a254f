import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')

/** The embedded model. */
export const TINY_MODEL = {
  folder: join(ROOT, 'fixtures/models/spout-tiny'),
  fp32: join(ROOT, 'fixtures/models/spout-tiny/onnx/model.onnx'),
  q4: join(ROOT, 'fixtures/models/spout-tiny/onnx/model_q4.onnx'),
  vocabSize: 2560,
}

/** Random weights, a chat template and several end ids. */
export const CHAT_MODEL = { folder: join(ROOT, 'fixtures/models/tiny-chat') }

export const GOLDEN = join(ROOT, 'fixtures/golden')

/** Data beside the project, which a stranger's clone does not have. */
export const SHARED = resolve(ROOT, '../shared/data')
export const hasShared = existsSync(SHARED)
