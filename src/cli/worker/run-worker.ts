/** The process of a worker: it opens the model as the run that left it did, and listens until it is not wanted any more. */
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { modelState } from '../../open/model-state.ts'
import { openEngine } from '../../open/open-engine.ts'
import { availableMemory } from '../../system/available-memory.ts'
import { spoutCacheFolder } from '../../system/spout-cache.ts'
import { openWorkerFolder, socketPath } from '../../worker/place.ts'
import type { OpeningNote } from '../../worker/protocol.ts'
import { WorkerServer } from '../../worker/worker-server.ts'
import { writeLater } from '../keep-prompt.ts'
import { startingMark, type WorkerOrder } from './leave-worker.ts'
import { askStop, isListening, listWorkers } from './list-workers.ts'
import { workerKey } from './worker-key.ts'

/** Of texts that have ended: for runs that begin alike. */
const KEPT_BYTES = 1 << 30
/** While a text is decoded, a step takes no more of another's prompt than fits this time. */
const STEP_MS = 100
/** Keys, values and what a session needs beside its weights, as a share of them. */
const BESIDE_WEIGHTS = 1.3
/** A worker that was told to go needs a moment for it. */
const LOOKS = 40
const LOOK_MS = 50

/** @param text a WorkerOrder as JSON. Resolves when the worker is to end. */
export async function runWorker(text: string): Promise<void> {
  const order = JSON.parse(text) as WorkerOrder
  const folder = openWorkerFolder(process.env)
  if ('why' in folder) return
  const path = socketPath(folder.path, order.key)
  let server: WorkerServer | undefined
  try {
    // Seen from here it may be another: then nobody would ever call.
    if (workerKey(order.opening) === order.key) server = await startWorker(order, folder.path, path)
  } finally {
    rmSync(startingMark(path), { force: true })
  }
  if (server === undefined) return
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => leaveNow(server))
  await server.ended
}

async function startWorker(
  { key, opening, keepAliveMs }: WorkerOrder,
  folder: string,
  path: string,
): Promise<WorkerServer | undefined> {
  // The run that started this one may have come when another was not to be reached, or was about to listen.
  if (await isListening(path)) return undefined
  const notes: OpeningNote[] = []
  const before = await modelState(opening)
  if (!(await makeRoom(before.weightBytes, folder))) return undefined
  const engine = await openEngine({
    ...opening,
    stepMs: STEP_MS,
    keptBytes: KEPT_BYTES,
    // All was here a moment ago, or there would be no state of it.
    offline: true,
    note: (text, level) => notes.push([text, level]),
  })
  const server = new WorkerServer({
    ...{ engine, key, notes, keepAliveMs },
    writeLater: (handed) => writeLater(spoutCacheFolder(process.env), handed),
    isFresh: async () => {
      const now = await modelState(opening).catch(() => undefined)
      return now?.text === before.text
    },
  })
  // What changed while it was opened may be what was opened or not.
  if ((await modelState(opening)).text !== before.text) return undefined
  return (await server.listen(path)) ? server : undefined
}

/** Those that nobody uses go, the one that was used least lately first, until there is memory for this one. */
async function makeRoom(weightBytes: number, folder: string): Promise<boolean> {
  const isEnough = (): boolean => availableMemory() > BESIDE_WEIGHTS * weightBytes
  if (isEnough()) return true
  const others = (await listWorkers(folder)).filter(({ status }) => status.active === 0)
  others.sort((a, b) => (a.status.idleLeftMs ?? 0) - (b.status.idleLeftMs ?? 0))
  for (const { path } of others) {
    if ((await askStop(path, { ifIdle: true })) === undefined) continue
    for (let i = 0; i < LOOKS && !isEnough(); i++) await sleep(LOOK_MS)
    if (isEnough()) return true
  }
  return isEnough()
}

/** The socket goes too; whoever is being answered goes on by himself. */
function leaveNow(server: WorkerServer): void {
  server.close()
  process.exit()
}
