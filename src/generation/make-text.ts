/** What a text is written with: its sampler, its limits, its way out. */
import type { Backend } from '../backend/backend.ts'
import type { Drafter } from '../drafting/drafter.ts'
import type { Constraint } from '../grammar/constraint.ts'
import type { Sampler } from '../sampling/sampler.ts'
import type { Trace } from '../trace.ts'
import { Sequence } from './sequence.ts'
import type { SequenceParts } from './sequence-parts.ts'
import { budgetReason, tokenBudget } from './stop-criteria.ts'
import { TextOut } from './text-out.ts'
import { TokenOutputStream } from './token-output-stream.ts'
import type { TokenSink } from './token-sink.ts'

export interface TextOptions {
  readonly sampler: Sampler
  readonly sink: TokenSink
  /** 0 = until a stop id or the context is full. */
  readonly maxTokens: number
  readonly ignoreEos?: boolean
  /** What ends it, in place of the backend's. */
  readonly stopTokenIds?: ReadonlySet<number>
  readonly stopStrings?: readonly string[]
  /** True once the sink wants no more: it may look for stop texts itself, in a part of the text. */
  readonly stopped?: (() => boolean) | undefined
  /** The output continues the prompt's text rather than starting one of its own: a leading space stays. */
  readonly continuation?: boolean
  /** Special ids whose text is part of the output all the same: the markers of a reasoning block. */
  readonly keepIds?: ReadonlySet<number> | undefined
  /** What the text must satisfy: the sampler's mask. */
  readonly constraint?: Constraint | undefined
  /** What must come is run ahead, as guesses. Only where the rows of a run are exact. */
  readonly jump?: boolean | undefined
  readonly drafters?: readonly Drafter[] | undefined
  /** Guesses of one step. */
  readonly mostDrafts?: number | undefined
  readonly trace?: Trace | undefined
  readonly onPrefill?: ((done: number, total: number) => void) | undefined
}

/** What the text begins with, and where its keys and values are. */
export interface TextStart extends Pick<SequenceParts, 'kv' | 'prompt' | 'held'> {
  /** Ids that `kv` holds before the prompt. Default 0. */
  readonly before?: number
}

/** What must be known of the model. */
export type TextModel = Pick<Backend, 'tokenizer' | 'contextLength' | 'stopTokenIds'>

export function makeText(model: TextModel, options: TextOptions, start: TextStart): Sequence {
  const { sampler, maxTokens, continuation = false, keepIds: keep, drafters } = options
  const { before = 0, ...place } = start
  const stream = new TokenOutputStream(model.tokenizer, { continuation, ...(keep && { keep }) })
  const promptTokens = before + start.prompt.length
  const spent = { maxTokens, contextLength: model.contextLength, promptTokens }
  return new Sequence({
    ...place,
    sampler,
    ...(drafters && { drafters }),
    constraint: options.constraint,
    jump: options.jump === true,
    out: new TextOut(stream, options.sink, options),
    limits: {
      budget: tokenBudget(spent),
      atBudget: budgetReason(spent),
      ...(options.mostDrafts !== undefined && { mostDrafts: options.mostDrafts }),
      stopIds: options.ignoreEos ? NO_IDS : (options.stopTokenIds ?? model.stopTokenIds),
    },
    trace: options.trace,
    onPrefill: options.onPrefill,
  })
}

const NO_IDS: ReadonlySet<number> = new Set()
