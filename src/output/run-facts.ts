/**
 * What runs, and how it chooses: the one place that says so, in words for `--verbose`, `--stats`, `--dry-run`, `models show` and
 * the bench, and as fields for their JSON.
 */
import type { Engine, EngineModel, RequestFacts, RunsElsewhere } from '../engine/engine.ts'
import { resolveSampling, SAMPLING_RANGES, type SamplingOptions } from '../sampling/sampling-params.ts'

/** How several answers are written, for `--stats`. */
export function togetherText({ sharesRuns, model: { runs } }: Pick<Engine, 'sharesRuns' | 'model'>): string {
  if (runs.device === 'remote') return 'by the servers, as they see fit'
  return sharesRuns
    ? 'together, each as if alone'
    : 'one after another: rows of a run would depend on each other'
}

type Runs = EngineModel['runs']
type KernelUse = Exclude<Runs, RunsElsewhere>['kernels']

/** The process that runs it, where that is another of this machine. */
export function workerOf(runs: Runs): number | undefined {
  return runs.device === 'remote' ? undefined : runs.worker
}

/** `own kernels (avx2), prepared, 2 threads, c-api`. */
export function runsText(runs: Runs): string {
  if (runs.device === 'remote') return `elsewhere: ${runs.servers.join(', ')}`
  const { device, kernels, prepared, threads, runtime, worker } = runs
  return [
    ...(device === 'cpu' ? [] : ['graphics card']),
    kernelsText(kernels),
    prepared ? 'prepared' : 'not prepared',
    threads === 1 ? '1 thread' : `${threads} threads`,
    runtime,
    ...(worker === undefined ? [] : [`worker ${worker}`]),
  ].join(', ')
}

function kernelsText({ matmul, attention, isa, why }: KernelUse): string {
  const set = isa === undefined ? '' : ` (${isa})`
  if (matmul === 'own' && attention === 'own') return `own kernels${set}`
  const because = why === undefined ? '' : ` (${why})`
  if (matmul === attention) return `ONNX Runtime's kernels${because}`
  const [own, foreign] = matmul === 'own' ? ['matmul', 'attention'] : ['attention', 'matmul']
  return `own ${own}${set}, ONNX Runtime's ${foreign}${because}`
}

/** Ways that would have been faster, and why they were not taken. */
export function refusedLines(runs: Runs): string[] {
  if (runs.device === 'remote') return []
  return runs.refused.map(({ way, why }) => `not ${way}: ${why}`)
}

/** As fields of a JSON document; null is not known before it runs. */
export function runsJson(runs: Runs | undefined) {
  if (runs === undefined) return null
  if (runs.device === 'remote') return { device: runs.device, servers: runs.servers }
  const { device, kernels, prepared, threads, runtime, refused } = runs
  const { matmul, attention, isa = null, why = null } = kernels
  return { device, kernels: { matmul, attention, isa, why }, prepared, threads, runtime, not_taken: refused }
}

export interface PromptMaking {
  /** The messages go through the chat template. */
  readonly isChat: boolean
  readonly hasChatTemplate: boolean
}

/** How the prompt is made, as a field: `chat`, `raw` where the model's template is left away, `none` without one. */
export function templateJson({ isChat, hasChatTemplate }: PromptMaking): 'chat' | 'raw' | 'none' {
  if (isChat) return 'chat'
  return hasChatTemplate ? 'raw' : 'none'
}

/** How the prompt is made. */
export function templateText({ isChat, hasChatTemplate }: PromptMaking): string {
  if (isChat) return 'chat template'
  return hasChatTemplate
    ? 'none, as --raw asks: the text is completed'
    : 'the model has none: the text is completed'
}

/** How each token is chosen: what is not off, by the names of the flags. */
export function samplingText({ sampling }: Pick<RequestFacts, 'sampling'>): string {
  const { temperature = 0, repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0 } = sampling
  const chosen =
    temperature === 0 ? 'greedy' : [`temperature ${number(temperature)}`, ...filters(sampling)].join(', ')
  const changed = [
    ['repetition-penalty', repetitionPenalty, 1],
    ['presence-penalty', presencePenalty, 0],
    ['frequency-penalty', frequencyPenalty, 0],
    ['no-repeat-ngram-size', sampling.noRepeatNgramSize ?? 0, 0],
    ['min-new-tokens', sampling.minNewTokens ?? 0, 0],
  ] as const
  const biased = sampling.logitBias?.size ?? 0
  return [
    chosen,
    ...changed.filter(([, value, off]) => value !== off).map(([name, value]) => `${name} ${number(value)}`),
  ]
    .concat(biased === 0 ? [] : [`logit-bias of ${biased}`])
    .join(', ')
}

/**
 * All of it as fields, named as the flags; what is off has the value that switches it off.
 * @param isKnown false: of what was not asked for, nobody here knows what it is
 */
export function samplingJson(sampling: SamplingOptions, isKnown = true) {
  const resolved = resolveSampling(sampling)
  const numbers = Object.entries(SAMPLING_RANGES).flatMap(([field, { name }]) => {
    const value = resolved[field as keyof typeof SAMPLING_RANGES]
    const isAsked = sampling[field as keyof typeof SAMPLING_RANGES] !== undefined
    return field === 'logprobs' || !(isKnown || isAsked)
      ? []
      : [[name.replaceAll('-', '_'), Number(number(value ?? 0))] as const]
  })
  if (!isKnown) return Object.fromEntries(numbers)
  return {
    ...Object.fromEntries(numbers),
    logit_bias: Object.fromEntries(resolved.logitBias),
    banned_ids: resolved.bannedIds,
    banned_sequences: resolved.bannedSequences,
  }
}

function filters({ topK = 0, topP = 1, minP = 0, typicalP = 1 }: SamplingOptions): string[] {
  return [
    ...(topK === 0 ? [] : [`top-k ${topK}`]),
    ...(topP === 1 ? [] : [`top-p ${number(topP)}`]),
    ...(minP === 0 ? [] : [`min-p ${number(minP)}`]),
    ...(typicalP === 1 ? [] : [`typical-p ${number(typicalP)}`]),
  ]
}

/** 0.7 and not 0.699999988079071. */
function number(value: number): string {
  return String(Number(value.toPrecision(6)))
}
