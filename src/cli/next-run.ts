import type { Engine } from '../engine/engine.ts'
import type { Options } from './options.ts'

/** After an answer: what makes the next run start sooner is done by a process that nobody waits for. Its code is loaded where it may be. */
export async function readyNextRun({ model }: Pick<Engine, 'model'>, options: Options): Promise<void> {
  // A worker holds what is prepared: it is started by the run after that.
  if (model.mayPrepare) {
    const { prepareLater } = await import('./prepare-later.ts')
    if (await prepareLater(options)) return
  }
  if (!options.keepAlive || model.runs.device === 'remote' || model.runs.worker !== undefined) return
  const { leaveWorker } = await import('./worker/leave-worker.ts')
  await leaveWorker(options)
}
