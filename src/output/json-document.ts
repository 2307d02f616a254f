/** The one document of `--json`, and the last event of `--jsonl`. Field names are the contract: see the README. */
import type { Engine, EngineResult } from '../engine/engine.ts'
import type { SpoutError } from '../errors.ts'
import { toJson } from '../system/text-display.ts'
import type { Measurements } from './measurements.ts'
import { runsJson, samplingJson, templateJson } from './run-facts.ts'
import type { toldLogprobs } from './told-id.ts'

/** An answer and its figures. */
export interface JsonAnswer {
  readonly result: EngineResult
  readonly text: string
  /** What the model thought aloud, kept out of `text`; '' leaves the field away. */
  readonly reasoning: string
  readonly measured: Measurements
  readonly logprobs?: readonly LogprobEntry[] | undefined
}

/** An id is `null` where a server does not tell it. */
export interface LogprobEntry extends ReturnType<typeof toldLogprobs> {
  readonly id: number | null
}

export function jsonDocument({ engine, ...answer }: JsonAnswer & { readonly engine: Engine }) {
  return {
    ...modelFields(engine),
    ...textFields(answer),
    ...runFields(engine, answer),
    ...figures(engine, answer),
  }
}

/** The document of `--samples`: what is the same for all answers, and of each, in their order, the rest. */
export function samplesDocument(engine: Engine, answers: readonly JsonAnswer[]) {
  const samples = answers.map((answer) => ({ ...textFields(answer), ...figures(engine, answer) }))
  const completionTokens = answers.reduce((sum, { result }) => sum + result.completionTokens, 0)
  const isUncounted = answers.some(({ result }) => result.isUncounted)
  const usage = usageOf({ ...answers[0]!.result, completionTokens, isUncounted })
  return { ...modelFields(engine), ...runFields(engine, answers[0]!), samples, usage }
}

type Counts = Pick<EngineResult, 'promptTokens' | 'keptTokens' | 'completionTokens' | 'isUncounted'>

function usageOf({ promptTokens, keptTokens, completionTokens, isUncounted = false }: Counts) {
  if (isUncounted) return null
  return {
    prompt_tokens: promptTokens,
    prompt_tokens_details: { cached_tokens: keptTokens },
    completion_tokens: completionTokens,
  }
}

export function modelFields({ model: { id: model, revision, dtype } }: Engine) {
  return { model, revision: revision ?? null, dtype }
}

function textFields({ text, reasoning, result }: JsonAnswer) {
  return { text, ...(reasoning === '' ? {} : { reasoning }), finish_reason: result.finishReason }
}

function runFields({ model }: Engine, { result }: JsonAnswer) {
  return {
    runs: runsJson(model.runs),
    template: templateJson({ ...model, ...result }),
    sampling: samplingJson(result.sampling, model.runs.device !== 'remote'),
  }
}

function figures({ promises }: Engine, { result, measured, logprobs }: JsonAnswer) {
  return {
    seed: promises.seeds ? String(result.seed) : null,
    token_ids: promises.tokenIds ? result.tokenIds : null,
    usage: usageOf(result),
    drafts: result.drafts?.drafted ? result.drafts : null,
    timings: {
      load_ms: round(measured.loadMs),
      prefill_ms: round(measured.prefillMs),
      ttft_ms: round(measured.ttftMs),
      decode_ms: round(measured.decodeMs),
      prefill_tps: round(measured.prefillTps),
      decode_tps: round(measured.decodeTps),
    },
    ...(logprobs === undefined ? {} : { logprobs }),
  }
}

/** A document in one line. @param value JSON text, put behind `text` */
export function documentLine(document: object, value: string | undefined): string {
  if (value === undefined) return toJson(document)
  const fields = Object.entries(document)
  const at = 1 + fields.findIndex(([name]) => name === 'text')
  const [head, tail] = [fields.slice(0, at), fields.slice(at)].map((part) => toJson(Object.fromEntries(part)))
  return `${head!.slice(0, -1)},"value":${value},${tail!.slice(1)}`
}

/** What takes the document's place when the run failed. */
export function errorDocument({ code, exitCode, message }: SpoutError) {
  return { error: { code, exit: exitCode, message } }
}

function round(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Math.round(value * 100) / 100
}
