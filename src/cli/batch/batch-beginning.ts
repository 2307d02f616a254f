/** What all lines of a batch begin with, a system message or a file, is left on disk for the next run as that of one prompt is. */
import { PAGE } from '../../backend/kv.ts'
import type { Engine, EngineResult } from '../../engine/engine.ts'
import type { BatchJob } from './batch-job.ts'

export class BatchBeginning {
  readonly #job: BatchJob
  #engine: Engine | undefined
  /** Of the prompt of which most was computed. */
  #tokens = 0
  /** Of the one that was computed fastest: the others waited for their turn, or shared runs. */
  #msPerToken = Number.POSITIVE_INFINITY

  constructor(job: BatchJob) {
    this.#job = job
  }

  /** What answers with this engine; how fast it computes prompts is noted. */
  watching(engine: Engine): Pick<Engine, 'generate'> {
    this.#engine = engine
    return {
      generate: async (request, io) => {
        const result = await engine.generate(request, io)
        this.#note(result)
        return result
      },
    }
  }

  #note({ promptTokens, keptTokens, timings }: EngineResult): void {
    const tokens = promptTokens - keptTokens
    const ms = timings.prefilledAt - timings.startedAt
    if (tokens < PAGE || !(ms > 0)) return
    this.#tokens = Math.max(this.#tokens, tokens)
    this.#msPerToken = Math.min(this.#msPerToken, ms / tokens)
  }

  /** Once all is answered. Never throws. */
  async keep(): Promise<void> {
    const { options, defaults, before } = this.#job
    if (this.#engine?.handOverPrompt === undefined || this.#tokens === 0) return
    const { keepableBeginning, keepPrompt } = await import('../keep-prompt.ts')
    const requests = keepableBeginning(options, { system: defaults.system, before })
    if (requests === undefined) return
    const prefilled = { tokens: this.#tokens, ms: this.#tokens * this.#msPerToken }
    await keepPrompt({ engine: this.#engine, options, requests, prefilled })
  }
}
