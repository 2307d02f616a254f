/** The workers of this user. */
import { join } from 'node:path'
import { namesIn } from '../../system/or-nothing.ts'
import { callWorker } from '../../worker/call.ts'
import { keyOfName } from '../../worker/place.ts'
import type { Opening, Said, WorkerStatus } from '../../worker/protocol.ts'

const PATIENCE_MS = 2000

export interface FoundWorker {
  readonly path: string
  readonly status: WorkerStatus
}

/** Those that answer. */
export async function listWorkers(folder: string): Promise<FoundWorker[]> {
  const paths = namesIn(folder)
    .filter((name) => keyOfName(name) !== undefined)
    .map((name) => join(folder, name))
  const found = await Promise.all(
    paths.map(async (path) => ({ path, status: await ask(path, { do: 'status' }) })),
  )
  return found.flatMap(({ path, status }) => (status?.is === 'status' ? [{ path, status }] : []))
}

/** A worker listens there. */
export async function isListening(path: string): Promise<boolean> {
  return (await ask(path, { do: 'status' }))?.is === 'status'
}

/** Tells a worker to end, with what is under way; `undefined`: it does not. @returns how much that is */
export async function askStop(path: string, { ifIdle = false } = {}): Promise<number | undefined> {
  const said = await ask(path, { do: 'stop', ifIdle })
  return said?.is === 'stopping' ? said.active : undefined
}

async function ask(path: string, opening: Opening): Promise<Said | undefined> {
  const answer = await callWorker(path, { opening, patienceMs: PATIENCE_MS })
  answer?.call.hangUp()
  return answer?.said
}
