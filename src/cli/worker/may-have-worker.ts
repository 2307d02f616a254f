import { namesIn, orNothing } from '../../system/or-nothing.ts'
import { keyOfName, workerFolder } from '../../worker/place.ts'

/** Whether there may be a worker of any settings: then it is asked before anything is loaded. A look at one folder. */
export function mayHaveWorker(env: NodeJS.ProcessEnv = process.env): boolean {
  // In a current folder that is no longer there, a place that is told from there has no name.
  const folder = orNothing(() => workerFolder(env))
  return folder !== undefined && namesIn(folder).some((name) => keyOfName(name) !== undefined)
}
