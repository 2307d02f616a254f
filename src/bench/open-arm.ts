import type { ArmSpec, BenchTask, EngineHooks, LoadedArm } from './arm.ts'
import { ofArm } from './arm-error.ts'
import { openModelArm } from './model-arm.ts'
import type { ModelShelf } from './model-shelf.ts'

interface Workshop {
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
