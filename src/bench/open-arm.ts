import { SpoutError } from '../errors.ts'
import type { ArmSpec, BenchTask, EngineHooks, LoadedArm } from './arm.ts'
import { openModelArm } from './model-arm.ts'
import type { ModelShelf } from './model-shelf.ts'

export interface Workshop {
  readonly task: BenchTask
  readonly shelf: ModelShelf
  readonly hooks: EngineHooks
}

/** Loads what an arm needs. @throws SpoutError that names the arm. */
export async function openArm(spec: ArmSpec, { task, shelf, hooks }: Workshop): Promise<LoadedArm> {
  try {
    if (spec.engine === 'spout') return await openModelArm(spec, task, shelf)
    const { openTransformersArm } = await import('./transformers-arm.ts')
    return await openTransformersArm(spec, task, hooks)
  } catch (error) {
    throw ofArm(spec.name, error)
  }
}

/** The same failure, with the name of the arm that met it. */
export function ofArm(name: string, error: unknown): SpoutError {
  const { message } = error as Error
  if (!(error instanceof SpoutError))
    return new SpoutError('failed', `arm ${name}: ${message}`, { cause: error })
  const hint = error.hint === undefined ? {} : { hint: error.hint }
  return new SpoutError(error.code, `arm ${name}: ${message}`, { ...hint, cause: error })
}
