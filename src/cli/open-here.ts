import type { Engine } from '../engine/engine.ts'
import type { OpenEngineOptions } from '../open/open-options.ts'

/** The code for it is loaded only where a model is to run here. @throws as `openEngine` does */
export async function openHere(opening: OpenEngineOptions): Promise<Engine> {
  const { openEngine } = await import('../open/open-engine.ts')
  return openEngine(opening)
}
