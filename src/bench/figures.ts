/** The figures of one sample: of one request, or of several of the same, one after the other. */
import type { RequestRecord } from './arm.ts'
import { mean, quantile } from './statistics/summary.ts'

/** `null` where a figure does not exist or cannot be seen. Times in milliseconds. */
export interface Figures {
  readonly promptTokens: number
  /** Generated, by each request. */
  readonly tokens: number
  /** From the ids of the prompt to the last text; of a fresh process, from its start to its end. Compared. */
  readonly requestMs: number
  /** Loading the model; in a process that is measured again and again, the one time it was loaded. */
  readonly loadMs: number | null
  readonly prefillMs: number | null
  /** Prompt tokens per second. */
  readonly prefillTps: number | null
  /** To the first text: from the request, or from the start of a fresh process. */
  readonly ttftMs: number | null
  /** From one token to the next, the first left out. */
  readonly decodeMs: number | null
  readonly decodeP95Ms: number | null
  /** Shares of the request that went into choosing ids, and into making and writing text. */
  readonly samplingShare: number | null
  readonly textShare: number | null
  /** Memory of the whole process; `null` where it holds more than this arm. */
  readonly peakRssBytes: number | null
  /** Bytes allocated per token by JavaScript: the heap, and what of array buffers is seen. */
  readonly allocatedPerToken: number | null
}

/** What is measured around the requests rather than in them. */
export type Surroundings = Pick<Figures, 'loadMs' | 'peakRssBytes'> & { readonly allocatedBytes: number }

export function figuresOf(records: readonly RequestRecord[], around: Surroundings): Figures {
  const steps = records.flatMap(({ steps }) => Array.from(steps))
  const tokens = sum(records.map(({ ids }) => ids.length))
  const requestMs = mean(records.map(({ ms }) => ms))!
  const prefillMs = mean(records.map((record) => record.prefillMs))!
  return {
    promptTokens: records[0]!.promptTokens,
    tokens: records[0]!.ids.length,
    requestMs,
    loadMs: around.loadMs,
    prefillMs: finite(prefillMs),
    prefillTps: finite((1000 * records[0]!.promptTokens) / prefillMs),
    ttftMs: meanOf(records.map(({ firstTextMs }) => firstTextMs)),
    decodeMs: quantile(steps, 0.5) ?? null,
    decodeP95Ms: quantile(steps, 0.95) ?? null,
    samplingShare: share(
      records.map(({ samplingMs }) => samplingMs),
      requestMs,
    ),
    textShare: share(
      records.map(({ textMs }) => textMs),
      requestMs,
    ),
    peakRssBytes: around.peakRssBytes,
    allocatedPerToken: finite(around.allocatedBytes / tokens),
  }
}

function share(parts: readonly (number | undefined)[], requestMs: number): number | null {
  const part = meanOf(parts)
  return part === null ? null : finite(part / requestMs)
}

/** `null` as soon as one is missing. */
function meanOf(values: readonly (number | undefined)[]): number | null {
  const present = values.filter((value) => value !== undefined)
  return present.length < values.length ? null : (mean(present) ?? null)
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
