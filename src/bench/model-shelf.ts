/** Models loaded once, however many arms run on them. Owns them. */
import type { Backend } from '../backend/backend.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import { type OpenedBackend, openBackend } from '../open/open-engine.ts'
import type { EngineHooks, EngineSettings } from './arm.ts'

export interface ShelvedModel extends OpenedBackend {
  readonly files: ResolvedModel
  readonly loadMs: number
}

export class ModelShelf {
  readonly #hooks: EngineHooks
  readonly #models = new Map<string, Promise<ShelvedModel>>()

  constructor(hooks: EngineHooks) {
    this.#hooks = hooks
  }

  open(settings: EngineSettings): Promise<ShelvedModel> {
    const key = JSON.stringify(settings)
    const model = this.#models.get(key) ?? this.#load(settings)
    this.#models.set(key, model)
    return model
  }

  async dispose(): Promise<void> {
    const loaded = await Promise.allSettled(this.#models.values())
    const backends = loaded.flatMap((model): Backend[] =>
      model.status === 'fulfilled' ? [model.value.backend] : [],
    )
    for (const backend of backends) await backend.dispose()
    this.#models.clear()
  }

  async #load(settings: EngineSettings): Promise<ShelvedModel> {
    const from = performance.now()
    let files: ResolvedModel | undefined
    const opened = await openBackend({
      ...settings,
      ...this.#hooks,
      onResolved: (model) => {
        files = model
        this.#hooks.onResolved?.(model)
      },
    })
    return { ...opened, files: files!, loadMs: performance.now() - from }
  }
}
