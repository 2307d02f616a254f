/**
 * Starts an engine while the caller does other things, such as reading a prompt. What takes longest goes first: the runtime's library
 * opens on a thread of its own, while this one reads the code that will need it. Nothing but that code's types is imported.
 */

import type { EncodedPrompt } from '../engine/encode-prompt.ts'
import type { Engine } from '../engine/engine.ts'
import type { GenerateRequest } from '../engine/request.ts'
import { openRuntime, type RuntimeChoice } from '../onnx-runtime/open-runtime.ts'
import type { OpenEngineOptions, StartedModel } from './open-engine.ts'

/** An engine on its way. */
export interface EngineStart {
  readonly engine: Promise<Engine>
  /**
   * The ids of a request, found while the session still loads. `undefined` where that fails: `generate` then fails in
   * the same way, and says so.
   */
  encode(request: GenerateRequest): Promise<EncodedPrompt | undefined>
}

/** Begins to load a model. Whoever starts it disposes the engine; a failure that nobody waits for is no crash. */
export function startEngine(options: OpenEngineOptions = {}): EngineStart {
  const starting = start(options)
  const engine = starting.then(({ finish }) => finish())
  engine.catch(() => undefined)
  return {
    engine,
    encode: (request) => starting.then(({ encode }) => encode(request)).catch(() => undefined),
  }
}

/** Opens the runtime's library, so that it is there when an engine is started. What fails fails again there, and is said. */
export async function openLibrary(runtime: RuntimeChoice = 'auto'): Promise<void> {
  await openRuntime(runtime).catch(() => undefined)
}

async function start(options: OpenEngineOptions) {
  await openLibrary(options.runtime)
  const [{ startModel, finishEngine }, { encodePrompt }] = await Promise.all([
    import('./open-engine.ts'),
    import('../engine/encode-prompt.ts'),
  ])
  const model: StartedModel = await startModel(options)
  return {
    finish: () => finishEngine(model, options),
    encode: async (request: GenerateRequest) => {
      const prompt = encodePrompt(request, model.tokenizer, model.template)
      // The thread has time while the session loads: what a structure needs is there when it is asked for.
      if (request.structure !== undefined) (await model.structures()).foresee(request.structure.of)
      return prompt
    },
  }
}
