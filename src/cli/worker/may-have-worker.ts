import { namesIn } from '../../system/or-nothing.ts'
import { keyOfName, workerFolder } from '../../worker/place.ts'

/** Whether there may be a worker of any settings: then it is asked before anything is loaded. A look at one folder. */
export function mayHaveWorker(env: NodeJS.ProcessEnv = process.env): boolean {
  return namesIn(workerFolder(env)).some((name) => keyOfName(name) !== undefined)
}
