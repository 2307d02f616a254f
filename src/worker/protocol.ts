/**
 * What a run and its worker say to each other over a Unix socket: a JSON document on a line. The run says `hello` with the key of
 * its settings, then asks as often as it likes; each thing that is asked has a number, and so have the words about it. A run that
 * closes the socket wants nothing more.
 */
import type { EngineModel, EnginePromises, EngineResult, RequestFacts } from '../engine/engine.ts'
import { type JsonRecord, samplingToJson } from '../engine/plain-request.ts'
import type { NamedLogprobs } from '../engine/token-names.ts'
import { type ErrorCode, SpoutError } from '../errors.ts'
import type { SamplingOptions } from '../sampling/sampling-params.ts'

/** Counted up whenever what is said becomes another. */
export const PROTOCOL = 1

/** The first thing that is said on a connection. */
export type Opening =
  | {
      readonly do: 'hello'
      readonly protocol: number
      readonly key: string
      /** How long the worker is to stay after the last answer, in ms. */
      readonly keepAliveMs?: number | undefined
    }
  | { readonly do: 'status' }
  | { readonly do: 'stop'; readonly ifIdle?: boolean | undefined }

export type Asked =
  | {
      readonly do: 'generate'
      readonly id: number
      readonly request: JsonRecord
      /** How many answers; absent: one, of `generate`. */
      readonly samples?: number | undefined
      /** Reasoning is told apart from the answer. */
      readonly reasons: boolean
    }
  | {
      readonly do: 'choose'
      readonly id: number
      readonly request: JsonRecord
      readonly empty?: JsonRecord | undefined
      readonly choices: readonly string[]
      readonly prior?: boolean | undefined
      readonly wholeAnswer?: boolean | undefined
    }
  | {
      readonly do: 'score'
      readonly id: number
      readonly text: string
      readonly prompt?: string | undefined
      readonly allowSpecial?: boolean | undefined
    }
  | {
      /** What was computed of a prompt is left on disk. */
      readonly do: 'keep'
      readonly id: number
      readonly requests: readonly JsonRecord[]
      readonly msPerToken: number
      readonly leastMs?: number | undefined
    }
  | { readonly do: 'cancel'; readonly id: number }

/** A note that was made while the model was opened. */
export type OpeningNote = readonly [text: string, level: 'info' | 'warning']

export interface Ready {
  readonly is: 'ready'
  readonly pid: number
  readonly model: EngineModel
  readonly promises: EnginePromises
  readonly sharesRuns: boolean
  /** It can leave prompts on disk. */
  readonly keepsPrompts: boolean
  readonly notes: readonly OpeningNote[]
}

export interface WorkerStatus {
  readonly is: 'status'
  readonly pid: number
  readonly model: string
  readonly dtype: string
  /** Things that are asked for just now. */
  readonly active: number
  readonly answered: number
  /** Of the process. */
  readonly rssBytes: number
  /** Until it goes, if nobody asks anything; absent while something is under way. */
  readonly idleLeftMs?: number | undefined
}

export type Said =
  | Ready
  | { readonly is: 'refused'; readonly why: string }
  | WorkerStatus
  | { readonly is: 'stopping'; readonly active: number }
  | { readonly is: 'alive' }
  | About

/** About something that was asked; `of` is which of several answers. */
export type About = { readonly id: number } & (
  | { readonly is: 'start'; readonly of: number; readonly facts: JsonRecord }
  | { readonly is: 'prefill'; readonly of: number; readonly done: number; readonly total: number }
  | { readonly is: 'note'; readonly text: string }
  | {
      readonly is: 'token'
      readonly of: number
      readonly token: number
      readonly text: string
      readonly logprobs?: NamedLogprobs | undefined
    }
  | { readonly is: 'reasoning' | 'last'; readonly of: number; readonly text: string }
  | { readonly is: 'answers'; readonly results: readonly JsonRecord[] }
  | { readonly is: 'done'; readonly result?: object | undefined }
  | {
      readonly is: 'failed'
      readonly code: ErrorCode
      readonly message: string
      readonly hint?: string | undefined
    }
)

export function factsToJson(facts: RequestFacts): JsonRecord {
  return {
    ...facts,
    seed: `${facts.seed}`,
    sampling: samplingToJson(facts.sampling),
  } as unknown as JsonRecord
}

/** Of the other end, which is of this very version. */
export function factsFromJson(json: JsonRecord): RequestFacts {
  const { seed, sampling } = json as unknown as { seed: string; sampling: JsonRecord }
  return { ...json, seed: BigInt(seed), sampling: samplingFromJson(sampling) } as unknown as RequestFacts
}

function samplingFromJson({ seed, logitBias, ...rest }: JsonRecord): SamplingOptions {
  return {
    ...rest,
    ...(seed !== undefined && { seed: BigInt(seed as string) }),
    ...(logitBias !== undefined && { logitBias: new Map(logitBias as unknown as [number, number][]) }),
  }
}

/** @param heardAt when the request came, by the clock of this process: times are told from then on */
export function resultToJson(result: EngineResult, heardAt: number): JsonRecord {
  const { timings } = result
  return { ...factsToJson(result), timings: shifted(timings, -heardAt) } as unknown as JsonRecord
}

/** @param askedAt when it was asked, by the clock of this process */
export function resultFromJson(json: JsonRecord, askedAt: number): EngineResult {
  const result = factsFromJson(json) as EngineResult
  return { ...result, timings: shifted(result.timings, askedAt) }
}

function shifted({ startedAt, prefilledAt, endedAt, firstTextAt }: EngineResult['timings'], ms: number) {
  return {
    startedAt: startedAt + ms,
    prefilledAt: prefilledAt + ms,
    endedAt: endedAt + ms,
    firstTextAt: firstTextAt === undefined ? undefined : firstTextAt + ms,
  }
}

export function errorFromJson({ code, message, hint }: Extract<About, { is: 'failed' }>): SpoutError {
  return new SpoutError(code, message, hint === undefined ? {} : { hint })
}
