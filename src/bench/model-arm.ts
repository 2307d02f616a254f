/** The product's token loop over a loaded model, with or without something done as it was before. */

import { LookupDrafter } from '../drafting/lookup-drafter.ts'
import { StepCosts } from '../drafting/step-costs.ts'
import { encodePrompt } from '../engine/encode-prompt.ts'
import { MOST_DRAFTS } from '../engine/request.ts'
import { SpoutError } from '../errors.ts'
import { type GenerateOptions, type GenerateResult, generate } from '../generation/generate.ts'
import { createSampler } from '../sampling/sampler.ts'
import type { ArmSpec, BenchTask, LoadedArm, RequestRecord, RunOptions } from './arm.ts'
import type { OpenBefore, RequestParts } from './before/before-arm.ts'
import { openBefore } from './before/before-arms.ts'
import { PENALTY } from './before/set-penalty.ts'
import type { ModelShelf, ShelvedModel } from './model-shelf.ts'
import { type NullSink, openNullSink } from './null-sink.ts'
import { Stopwatch } from './stopwatch.ts'

/** @throws SpoutError `data` when prompt and tokens do not fit the context; and as `openBackend` does. */
export async function openModelArm(spec: ArmSpec, task: BenchTask, shelf: ModelShelf): Promise<LoadedArm> {
  const model = await shelf.open(spec.settings)
  const { backend } = model
  const prompt = encodePrompt(task.request, backend.tokenizer, model.template)
  checkFits(prompt.ids.length + task.tokens, backend.contextLength)
  if (spec.drafts && backend.runner?.numerics.exactRows !== true) {
    throw new SpoutError(
      'data',
      'bench: drafts: none are made where the rows of a run depend on each other',
      {
        hint: 'spout models prepare, or another model',
      },
    )
  }
  const before = await openBefore(spec.before, { backend, folder: model.files.folder })
  const sink = openNullSink()
  const isRaw = prompt.rendered === undefined
  const work = { spec, model, before, sink, ids: prompt.ids, isRaw, pace: new StepCosts() }
  return {
    loadMs: model.loadMs,
    run: (options) => runRequest(work, options),
    async dispose() {
      sink.close()
      before.close?.()
    },
  }
}

interface Work {
  readonly spec: ArmSpec
  readonly model: ShelvedModel
  readonly before: OpenBefore
  readonly sink: NullSink
  readonly ids: Int32Array
  readonly isRaw: boolean
  readonly pace: StepCosts
}

async function runRequest(work: Work, { tokens, signal }: RunOptions): Promise<RequestRecord> {
  const { spec, model, before, ids, isRaw, pace } = work
  const watch = new Stopwatch(tokens)
  const startedAt = performance.now()
  const cache = model.backend.createCache(ids.length + tokens)
  try {
    const sampler = createSampler(spec.penalty ? PENALTY : { temperature: 0 }, model.backend)
    const parts = before.alter({ backend: model.backend, sampler, sink: watch.output(work.sink) })
    const loop = { promptIds: ids, maxTokens: tokens, ignoreEos: true, continuation: isRaw, signal }
    const guesses = spec.drafts ? draftsOf(ids, pace) : {}
    const result = await generate({ ...loop, ...guesses, cache, ...watched(parts, watch) })
    signal?.throwIfAborted()
    return record({ result, startedAt, watch, promptTokens: ids.length })
  } finally {
    cache.dispose()
  }
}

/** As an engine drafts. */
function draftsOf(
  ids: Int32Array,
  pace: StepCosts,
): Pick<GenerateOptions, 'drafters' | 'mostDrafts' | 'pace'> {
  const drafter = new LookupDrafter({ length: 'auto', costs: pace, promptLength: ids.length })
  return { drafters: [drafter], mostDrafts: MOST_DRAFTS, pace }
}

function watched(parts: RequestParts, watch: Stopwatch): RequestParts {
  return { backend: parts.backend, sampler: watch.sampler(parts.sampler), sink: watch.sink(parts.sink) }
}

interface Ended {
  readonly result: GenerateResult
  readonly startedAt: number
  readonly watch: Stopwatch
  readonly promptTokens: number
}

function record({ result, startedAt, watch, promptTokens }: Ended): RequestRecord {
  const ms = performance.now() - startedAt
  const { timings, tokenIds } = result
  return {
    ids: tokenIds,
    promptTokens,
    ms,
    prefillMs: timings.prefilledAt - timings.startedAt,
    firstTextMs: watch.firstTextAt === undefined ? undefined : watch.firstTextAt - startedAt,
    steps: watch.steps(),
    samplingMs: watch.samplingMs,
    textMs: watch.textMs,
  }
}

function checkFits(wanted: number, contextLength: number): void {
  if (wanted <= contextLength) return
  throw new SpoutError('data', `bench: prompt and tokens are ${wanted}, the context holds ${contextLength}`, {
    hint: 'a shorter prompt, or fewer --bench-tokens',
  })
}
