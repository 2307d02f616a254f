/** The engine of a batch: opened once there is something to ask it. */
import type { Engine } from '../../engine/engine.ts'
import type { ResolvedModel } from '../../model/resolved-model.ts'
import type { OpenEngineOptions } from '../../open/open-options.ts'
import type { BatchOptions } from '../batch-flags.ts'
import type { Context } from '../context.ts'
import { engineOptions } from '../engine-options.ts'
import { abortable } from '../interrupt.ts'
import { openHere } from '../open-here.ts'
import { serversOf } from '../remote/engine-flags.ts'
import { openServers } from '../remote/open-for.ts'
import { noteEmbedded } from '../terminal/embedded-note.ts'
import { openStatusLine } from '../terminal/status-line.ts'
import type { BatchTarget } from './batch-target.ts'

interface BatchEngineHow {
  readonly checkModel?: BatchTarget['checkModel'] | undefined
  /** What was kept of prompts on disk is read, where flags and settings allow it. */
  readonly readsPrompts?: boolean
  /** Lines are judged by log-probabilities. */
  readonly scores?: boolean
  /** A worker that fits may be it. */
  readonly joins?: boolean
}

/**
 * A signal ends what loads at once; what runs is asked to end.
 * @throws SpoutError `usage` when the output was begun with another model.
 */
export async function openBatchEngine(
  options: BatchOptions,
  context: Context,
  how: BatchEngineHow = {},
): Promise<Engine> {
  if (serversOf(options).length > 0) return openElsewhere(options, context, how)
  const { checkModel, readsPrompts = false, joins = false } = how
  const { interrupts } = context
  noteEmbedded(options)
  const status = openStatusLine({ enabled: !options.quiet, color: options.color })
  status.show('loading the model')
  let resolved!: ResolvedModel
  const flagged = engineOptions(options, context, { onDownload: () => status.clear(), readsPrompts })
  const onResolved = (found: ResolvedModel): void => {
    resolved = found
    flagged.onResolved?.(found)
  }
  const opening = { ...flagged, onResolved }
  try {
    const engine = await abortable(
      joins ? joinOrOpen(options, opening) : openHere(opening),
      interrupts.signal,
    )
    interrupts.listen()
    if (checkModel !== undefined) {
      const { modelSettings } = await import('../../receipt/model-settings.ts')
      const { precise = false } = options
      checkModel(await modelSettings({ model: engine.model, resolved, precise, signal: interrupts.signal }))
    }
    return engine
  } finally {
    status.clear()
  }
}

/** The code of workers is loaded for whoever may have one. */
async function joinOrOpen(options: BatchOptions, opening: OpenEngineOptions): Promise<Engine> {
  return (await import('../worker/join-worker.ts')).joinOrOpen(options, opening)
}

/** At once, to all servers. */
export const PARALLEL_ELSEWHERE = 32

/** Where the servers are may change from run to run; which model they serve may not. */
async function openElsewhere(
  options: BatchOptions,
  context: Context,
  { checkModel, scores = false }: BatchEngineHow,
): Promise<Engine> {
  const { interrupts } = context
  const parallel = options.parallel ?? PARALLEL_ELSEWHERE
  const engine = await abortable(
    openServers(options, context, { parallel, whole: true, scores }),
    interrupts.signal,
  )
  interrupts.listen()
  checkModel?.({ model: engine.model.id, device: 'remote' })
  return engine
}
