/** An engine on its way: of a worker that fits, or of this process. */
import type { Engine } from '../../engine/engine.ts'
import type { OpenEngineOptions } from '../../open/open-options.ts'
import { type EngineStart, startEngine } from '../../open/start-engine.ts'
import type { Options } from '../options.ts'
import { late } from './late-opening.ts'
import { mayHaveWorker } from './may-have-worker.ts'

/** Where there is no worker at all, nothing comes later than without this. */
export function startOrJoin(options: Options, opening: OpenEngineOptions): EngineStart {
  if (!mayHaveWorker()) return startEngine(opening)
  let own: EngineStart | undefined
  const startOwn = (how = opening): EngineStart => {
    own ??= startEngine(how)
    return own
  }
  const worker = join(options, () => startOwn(late(opening)).engine)
  const engine = worker.then((found) => found ?? startOwn().engine)
  engine.catch(() => undefined)
  return {
    engine,
    // The ids that a worker needs, it finds itself.
    encode: async (request) => ((await worker) === undefined ? startOwn().encode(request) : undefined),
  }
}

async function join(options: Options, openOwn: () => Promise<Engine>): Promise<Engine | undefined> {
  const { joinWorker } = await import('./join-worker.ts')
  return joinWorker(options, openOwn)
}
