/** What answers depend on beside the request: the model's files and how they are computed with, as plain data. */
import { createHash } from 'node:crypto'
import type { Runs } from '../backend/runs.ts'
import type { EngineModel } from '../engine/engine.ts'
import { SpoutError } from '../errors.ts'
import { NUMERICS_VERSION } from '../kernels/numerics/version.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import { hashModelFiles } from './model-files.ts'

export interface ModelSettingsInput {
  readonly model: EngineModel
  readonly resolved: Pick<ResolvedModel, 'folder' | 'onnxPath'>
  readonly precise: boolean
  readonly signal?: AbortSignal | undefined
}

/** What runs a model whose files are here. @throws SpoutError `usage` for one that a server runs */
export function runsHere({ runs }: EngineModel): Runs {
  if (runs.device !== 'remote') return runs
  throw new SpoutError('usage', 'model: a server elsewhere runs it, and what it computes with is not known')
}

/** Hashes the model's files: about a second for a gigabyte. */
export async function modelSettings(input: ModelSettingsInput): Promise<Readonly<Record<string, unknown>>> {
  const { id, revision, dtype, contextLength } = input.model
  const runs = runsHere(input.model)
  const files = await hashModelFiles(input.resolved, input.signal)
  const all = createHash('sha256').update(files.map(({ name, sha256 }) => `${name} ${sha256}\n`).join(''))
  return {
    model: id,
    revision,
    dtype,
    files: all.digest('hex').slice(0, 16),
    context: contextLength,
    device: runs.device,
    matmul: runs.kernels.matmul,
    attention: runs.kernels.attention,
    precise: input.precise,
    numerics: NUMERICS_VERSION,
  }
}
