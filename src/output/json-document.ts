/** The one document of `--json`, and the last event of `--jsonl`. Field names are the contract: see the README. */
import type { Engine, EngineResult } from '../engine/engine.ts'
import type { NamedLogprobs } from '../engine/token-names.ts'
import type { SpoutError } from '../errors.ts'
import { toJson } from '../system/text-display.ts'
import type { Measurements } from './measurements.ts'
import { runsJson, samplingJson, templateJson } from './run-facts.ts'

interface JsonInput {
  readonly engine: Engine
  readonly result: EngineResult
  readonly text: string
  /** What the model thought aloud, kept out of `text`; '' leaves the field away. */
  readonly reasoning: string
  readonly measured: Measurements
  readonly logprobs?: readonly LogprobEntry[] | undefined
}

export interface LogprobEntry extends NamedLogprobs {
  readonly id: number
}

export function jsonDocument({ engine, result, text, reasoning, measured, logprobs }: JsonInput) {
  const { id: model, revision, dtype } = engine.model
  return {
    model,
    revision: revision ?? null,
    dtype,
    text,
    ...(reasoning === '' ? {} : { reasoning }),
    finish_reason: result.finishReason,
    runs: runsJson(engine.model.runs),
    template: templateJson({ ...engine.model, ...result }),
    sampling: samplingJson(result.sampling),
    seed: String(result.seed),
    token_ids: result.tokenIds,
    usage: { prompt_tokens: result.promptTokens, completion_tokens: result.tokenIds.length },
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
