/** The engine of a batch: opened once there is something to ask it. */
import type { Engine } from '../../engine/engine.ts'
import type { ResolvedModel } from '../../model/resolved-model.ts'
import { openEngine } from '../../open/open-engine.ts'
import type { BatchOptions } from '../batch-flags.ts'
import type { Context } from '../context.ts'
import { engineOptions } from '../engine-options.ts'
import { abortable } from '../interrupt.ts'
import { noteEmbedded } from '../terminal/embedded-note.ts'
import { openStatusLine } from '../terminal/status-line.ts'
import type { BatchTarget } from './batch-target.ts'

interface BatchEngineHow {
  readonly checkModel?: BatchTarget['checkModel'] | undefined
  /** What was kept of prompts on disk is read, where flags and settings allow it. */
  readonly readsPrompts?: boolean
}

/**
 * A signal ends what loads at once; what runs is asked to end.
 * @throws SpoutError `usage` when the output was begun with another model.
 */
export async function openBatchEngine(
  options: BatchOptions,
  context: Context,
  { checkModel, readsPrompts = false }: BatchEngineHow = {},
): Promise<Engine> {
  const { interrupts } = context
  noteEmbedded(options)
  const status = openStatusLine({ enabled: !options.quiet, color: options.color })
  status.show('loading the model')
  let resolved!: ResolvedModel
  const opening = engineOptions(options, context, { onDownload: () => status.clear(), readsPrompts })
  const onResolved = (found: ResolvedModel): void => {
    resolved = found
    opening.onResolved?.(found)
  }
  try {
    const engine = await abortable(openEngine({ ...opening, onResolved }), interrupts.signal)
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
