/** The figures of one request, and of a sample: the medians of its requests. */
import type { RequestRecord } from './arm.ts'
import { median, quantile } from './statistics/summary.ts'

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

/** What is measured around a request rather than in it. */
type Surroundings = Pick<Figures, 'loadMs' | 'peakRssBytes'> & { readonly allocatedBytes: number }

export function figuresOf(record: RequestRecord, around: Surroundings): Figures {
  const { ids, promptTokens, ms, prefillMs, firstTextMs, steps, samplingMs, textMs } = record
  return {
    promptTokens,
    tokens: ids.length,
    requestMs: ms,
    loadMs: around.loadMs,
    prefillMs: finite(prefillMs),
    prefillTps: finite((1000 * promptTokens) / prefillMs),
    ttftMs: firstTextMs ?? null,
    decodeMs: quantile(steps, 0.5) ?? null,
    decodeP95Ms: quantile(steps, 0.95) ?? null,
    samplingShare: samplingMs === undefined ? null : finite(samplingMs / ms),
    textShare: textMs === undefined ? null : finite(textMs / ms),
    peakRssBytes: around.peakRssBytes,
    allocatedPerToken: finite(around.allocatedBytes / ids.length),
  }
}

/** The median of each figure; `null` where none has it. */
export function medianFigures(all: readonly Figures[]): { readonly [K in keyof Figures]: number | null } {
  const names = Object.keys(all[0] ?? {}) as (keyof Figures)[]
  const medianOf = (name: keyof Figures): number | null =>
    median(all.map((each) => each[name]).filter((value) => value !== null)) ?? null
  return Object.fromEntries(names.map((name) => [name, medianOf(name)])) as Record<
    keyof Figures,
    number | null
  >
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
