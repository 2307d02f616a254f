/**
 * A request as JSON, without loss: what JSON has no type for (a seed of 64 bits, a map of biases) is written as a text of
 * digits and as pairs. request-json.ts reads it back.
 */
import type { SamplingOptions } from '../sampling/sampling-params.ts'
import type { GenerateRequest } from './request.ts'

type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonRecord
export type JsonRecord = { readonly [name: string]: JsonValue }

/** The request as values that JSON keeps; what is not set is left out. */
export function requestToJson(request: GenerateRequest): JsonRecord {
  return plain({ ...request, sampling: samplingToJson(request.sampling) })
}

/** Sampling as values that JSON keeps. */
export function samplingToJson({ seed, logitBias, ...rest }: SamplingOptions): JsonRecord {
  return plain({
    ...rest,
    seed: seed === undefined ? undefined : `${seed}`,
    logitBias: logitBias === undefined ? undefined : [...logitBias],
  })
}

function plain(value: object): JsonRecord {
  return JSON.parse(JSON.stringify(value)) as JsonRecord
}
