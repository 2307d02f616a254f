/** A run finds the worker of its settings, or does without. Nothing here fails a run. */
import { existsSync } from 'node:fs'
import type { Engine } from '../../engine/engine.ts'
import type { OpenEngineOptions } from '../../open/open-options.ts'
import { callWorker } from '../../worker/call.ts'
import { openWorkerFolder, socketPath } from '../../worker/place.ts'
import { PROTOCOL } from '../../worker/protocol.ts'
import { WorkerEngine } from '../../worker/worker-engine.ts'
import { openHere } from '../open-here.ts'
import type { Options } from '../options.ts'
import { writeLine } from '../terminal/messages.ts'
import { late } from './late-opening.ts'
import { mayHaveWorker } from './may-have-worker.ts'
import { workerKey, workerOpening } from './worker-key.ts'

/** How long a worker may take to say that it is one, in ms. */
const PATIENCE_MS = 1000

/** Whether a run with these options may be answered by a worker: that has one model, and no trace of its steps. */
export function mayJoin({ keepAlive, trace, bench, receipt, draftModel }: Options): boolean {
  return keepAlive !== 0 && !trace && !bench && receipt === undefined && draftModel === undefined
}

/**
 * The engine of a worker that fits; `undefined` where there is none.
 * @param openOwn opens an engine of this process: for what the worker cannot end
 */
export async function joinWorker(
  options: Options,
  openOwn: () => Promise<Engine>,
): Promise<WorkerEngine | undefined> {
  if (!mayJoin(options) || !mayHaveWorker()) return undefined
  const say = (text: string): void => {
    if (options.verbose) writeLine(text)
  }
  try {
    return await join(options, openOwn, say)
  } catch (error) {
    say(`worker: ${(error as Error).message}`)
    return undefined
  }
}

/** The engine of a worker that fits, or else one of this process. @throws as `openEngine` does */
export async function joinOrOpen(options: Options, opening: OpenEngineOptions): Promise<Engine> {
  return (await joinWorker(options, () => openHere(late(opening)))) ?? openHere(opening)
}

async function join(
  options: Options,
  openOwn: () => Promise<Engine>,
  say: (text: string) => void,
): Promise<WorkerEngine | undefined> {
  const folder = openWorkerFolder(process.env)
  if ('why' in folder) {
    say(`worker: none is asked: ${folder.why}`)
    return undefined
  }
  const opening = workerOpening(options)
  const key = workerKey(opening)
  const path = socketPath(folder.path, key)
  if (!existsSync(path)) return undefined
  const hello = { do: 'hello', protocol: PROTOCOL, key, keepAliveMs: options.keepAlive } as const
  const answer = await callWorker(path, { opening: hello, patienceMs: PATIENCE_MS })
  if (answer?.said.is !== 'ready') {
    answer?.call.hangUp()
    const why = answer?.said.is === 'refused' ? answer.said.why : 'it does not answer'
    say(`worker: not used: ${why}`)
    return undefined
  }
  const { call, said: ready } = answer
  for (const [text, level] of ready.notes)
    if (options.verbose || (level === 'warning' && !options.quiet)) writeLine(text)
  // A folder is called what the user calls it.
  const name = ready.model.id === opening.model ? options.model : undefined
  const onLost = ({ message }: Error): void => say(`${message}; this process goes on`)
  return new WorkerEngine(call, ready, { name, openOwn, onLost })
}
