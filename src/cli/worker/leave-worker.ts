/** After an answer: a worker is started for the runs to come. Nobody waits for it, and what fails is no failure of the run. */
import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { orNothing } from '../../system/or-nothing.ts'
import { fitsSocket, openWorkerFolder, socketPath } from '../../worker/place.ts'
import type { Options } from '../options.ts'
import { spawnLater } from '../spawn-later.ts'
import { writeLine } from '../terminal/messages.ts'
import { mayJoin } from './join-worker.ts'
import { type WorkerOpening, workerEnvironment, workerKey, workerOpening } from './worker-key.ts'

/** What a worker's process is told. */
export interface WorkerOrder {
  /** What the run that starts it will look for. */
  readonly key: string
  readonly opening: WorkerOpening
  readonly keepAliveMs: number
}

/** A process that was started for that, and has not come to listen after so long, never will. */
const STARTING_MS = 60_000

/** Of a hundred runs at once one starts it. */
export async function leaveWorker(options: Options): Promise<void> {
  const { keepAlive: keepAliveMs = 0 } = options
  if (keepAliveMs === 0 || !mayJoin(options)) return
  const say = (text: string): void => {
    if (options.verbose) writeLine(`worker: ${text}`)
  }
  try {
    say(await start(workerOpening(options), keepAliveMs))
  } catch (error) {
    say(`none is started: ${(error as Error).message}`)
  }
}

/** @returns what became of it. @throws where there is no process to be had */
async function start(opening: WorkerOpening, keepAliveMs: number): Promise<string> {
  const folder = openWorkerFolder(process.env, { make: true })
  if ('why' in folder) return `none is started: ${folder.why}`
  const key = workerKey(opening)
  const path = socketPath(folder.path, key)
  if (!fitsSocket(`${path}.${process.pid}0000.aside`)) return `none is started: ${path} is too long`
  if (!isFirst(startingMark(path))) return 'another run is starting one'
  const order: WorkerOrder = { key, opening, keepAliveMs }
  const env = { ...workerEnvironment(), ...runtimeFolder() }
  await spawnLater(['worker', 'run', JSON.stringify(order)], { env, priority: 'same' })
  return 'one is started for the next runs'
}

function runtimeFolder(): NodeJS.ProcessEnv {
  const { XDG_RUNTIME_DIR } = process.env
  return XDG_RUNTIME_DIR === undefined ? {} : { XDG_RUNTIME_DIR }
}

/** What lies beside a socket that is to come. */
export function startingMark(path: string): string {
  return `${path}.starting`
}

/** Whether nobody else is starting it. */
function isFirst(mark: string): boolean {
  const began = orNothing(() => statSync(mark).mtimeMs)
  if (began !== undefined && Math.abs(Date.now() - began) > STARTING_MS) rmSync(mark, { force: true })
  const file = orNothing(() => openSync(mark, 'wx', 0o600))
  if (file === undefined) return false
  closeSync(file)
  return true
}
