import type { Runs } from '../backend/runs.ts'
import type { ToolFormat } from '../chat-template/tool-format.ts'
import type { GenerateResult } from '../generation/generate.ts'
import type { SinkWait } from '../generation/token-sink.ts'
import type { HandOver, HandOverOptions } from '../prefix-cache/hand-over.ts'
import type { SamplingOptions } from '../sampling/sampling-params.ts'
import type { Trace } from '../trace.ts'
import type { EncodedPrompt } from './encode-prompt.ts'
import type { GenerateRequest } from './request.ts'
import type { ChoiceRequest, ChoiceResult, ScoreIo, ScoreRequest, ScoreResult } from './score-request.ts'
import type { FromDisk } from './stored-prompts.ts'
import type { NamedSink } from './token-names.ts'

/** What runs requests. A command does not know whether it is in this process. */
export interface Engine {
  readonly model: EngineModel
  readonly promises: EnginePromises
  /** Requests that come at once share runs, since no row depends on the rows beside it; else they are written one after another. */
  readonly sharesRuns: boolean
  /** What it does just now, and has done. */
  readonly work: EngineWork
  /**
   * Many may come at once: they share runs where that changes no answer, and are otherwise written one after another, as
   * they came; so a sink must not wait for another request of its engine. One whose signal aborts, while it runs or while
   * it waits, ends with the finish reason `aborted`.
   * @throws SpoutError `data` when the prompt does not fit the context, before anything is computed; `usage` once the
   * engine is disposed.
   */
  generate(request: GenerateRequest, io: RequestIo): Promise<EngineResult>
  /**
   * Several answers to one request, for each `io` one, in their order; the prompt is computed once. The first is the answer
   * of `generate`; the seeds of the others follow from the request's and their place. Where one fails, so do all.
   * @throws as `generate` does
   */
  sample(request: GenerateRequest, ios: readonly RequestIo[]): Promise<EngineResult[]>
  /**
   * How likely each of some choices is as the answer to a question. Nothing is written, and no coin is spent; all choices are
   * computed in one run, and many questions at once share runs.
   * @throws SpoutError `usage` for choices that are none, `data` when a question does not fit the context; the signal's reason
   */
  choose(request: ChoiceRequest, io?: ScoreIo): Promise<ChoiceResult>
  /**
   * How likely a text is, token by token, by itself or after a prompt, as it stands: no chat template.
   * @throws SpoutError `data` for a text without a token that could be scored; the signal's reason
   */
  score(request: ScoreRequest, io?: ScoreIo): Promise<ScoreResult>
  /** Requests that begin alike: what one computed is not computed again for the next. Whoever opens it disposes it. */
  openConversation(): Conversation
  /**
   * Of an engine that reads pages from disk: hands what it has computed of a text, and the disk has not, to another process,
   * where that saves enough. Resolves with the file that process is to be given; `undefined` where there is none.
   * @param requests the text is what these have in common, from the first id on
   * @throws what the system says
   */
  handOverPrompt?(
    requests: readonly GenerateRequest[],
    options: HandOverOptions,
  ): Promise<HandOver | undefined>
  /**
   * Aborts what runs, refuses what waits, and resolves when nothing computes any more. Afterwards every request, of a
   * conversation as well, is a SpoutError `usage`.
   */
  dispose(): Promise<void>
}

/**
 * What holds of every answer of an engine. A command that needs what is not promised refuses before it starts. A server elsewhere
 * promises next to nothing: what it is and runs is not known here.
 */
export interface EnginePromises {
  /** The same request has the same bits: today, alone or among others, here or on another machine. */
  readonly bits: boolean
  /** A seed that is given again gives the same text; one that is not given is drawn, and told. */
  readonly seeds: boolean
  /** Ids of prompts and answers are known. */
  readonly tokenIds: boolean
  /** Most tokens whose log-probabilities may be asked for at each place; 0: none at all. */
  readonly logprobs: number
  /** What an answer can be held to while it is written. */
  readonly structure: 'any' | 'none'
}

/** Keeps the KV cache between requests. Its requests take their turns among all of the engine. */
export interface Conversation {
  /**
   * The ids of a request: how long it is, and what `generate` may be given.
   * @throws SpoutError `usage` where the engine promises no ids
   */
  encode(request: GenerateRequest): EncodedPrompt
  /** As the engine's, but only the ids after the longest common beginning with what the cache holds are computed. */
  generate(request: GenerateRequest, io: RequestIo): Promise<EngineResult>
  /**
   * For the time between two requests: runs what is known of the next one already. Ids that were decoded lie in the
   * cache as decoding rounds them, and the next request would run them again, so that what it says is what a run over
   * the whole conversation says; after this it runs its own ids only. May be left out, or stopped at any moment.
   * @param next a request as the next one will be; its last message may be any: it is left out of account
   * @returns what was run until the end, or until `io.signal` aborted
   */
  settle(next: GenerateRequest, io?: SettleIo): Promise<Settled>
  /** Aborts what it runs. */
  dispose(): void
}

export interface EngineWork {
  /** Texts that hold memory for keys and values, those with a slow reader among them. */
  readonly texts: number
  /** Texts that wait for their turn, or for memory. */
  readonly waiting: number
  /** Runs of the model so far, and ids that were run. */
  readonly steps: number
  readonly rows: number
}

export type SettleIo = Pick<RequestIo, 'signal' | 'trace' | 'onPrefill'>

/** What was run between two requests. */
export interface Settled {
  readonly tokens: number
  readonly ms: number
}

export interface EngineModel {
  readonly id: string
  readonly revision: string | undefined
  readonly dtype: string
  /** Which binding runs the session. */
  readonly runtime: string
  /** What runs it, and why nothing faster does. */
  readonly runs: Runs | RunsElsewhere
  /** `Infinity` where a server does not tell it. */
  readonly contextLength: number
  /** Ids are below it. */
  readonly vocabSize: number
  /** It would start sooner if it were prepared, and was not. */
  readonly mayPrepare: boolean
  /** The model has a chat template: messages are what it was made for. */
  readonly hasChatTemplate: boolean
  /** How it calls tools; `undefined`: it does not, or in no way that is known. */
  readonly toolFormat: ToolFormat | undefined
}

/** It is run by somebody else. */
export interface RunsElsewhere {
  readonly device: 'remote'
  /** The origins of their addresses. */
  readonly servers: readonly string[]
}

/** Where an answer goes. */
export interface AnswerSink extends NamedSink {
  /**
   * Where this is, the reasoning of a chat model comes here and is kept out of the text. It became certain with the id
   * that `token` is told next, if any.
   */
  reasoning?(text: string): SinkWait
}

/** Input and output of one request: where its answer goes, what aborts it, who is told. */
export interface RequestIo {
  readonly sink: AnswerSink
  readonly signal?: AbortSignal | undefined
  /** The request's ids, when they were found before. */
  readonly encoded?: EncodedPrompt | undefined
  /** Shares what it begins with only with requests of the same; `undefined` with those that name none. */
  readonly owner?: string | undefined
  readonly trace?: Trace | undefined
  /** Told what is to be said of this request, each time, in place of the engine's own. */
  readonly note?: ((text: string) => void) | undefined
  /** Told before anything is computed. */
  readonly onStart?: ((facts: RequestFacts) => void) | undefined
  /** Prompt tokens done, prompt tokens in all; those that were kept from before count as neither. */
  readonly onPrefill?: ((done: number, total: number) => void) | undefined
}

/** What is known of a request before anything is computed. */
export interface RequestFacts {
  readonly promptTokens: number
  /** How many of them were kept from an earlier request, of this process or another. */
  readonly keptTokens: number
  /** What of them was read from disk. */
  readonly fromDisk?: FromDisk
  readonly seed: bigint
  /** What chooses its tokens: what was asked for over the author's defaults. */
  readonly sampling: SamplingOptions
  /** Its messages went through the chat template. */
  readonly isChat: boolean
}

export interface EngineResult extends GenerateResult, RequestFacts {
  /** Whose limit `maxTokens` is; `engine`: one of a server's own, which is not known. */
  readonly lengthLimit: 'asked' | 'default' | 'engine'
  readonly maxTokens: number
  /** Of the answer: as many as there are ids, where ids are known. */
  readonly completionTokens: number
  /** A server has answered and not told how many tokens there were: all numbers of them are 0. */
  readonly isUncounted?: boolean
}
