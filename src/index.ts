/** What the library exports. */
export type { Backend, KvCache, Logits, ModelFacts, Numerics, Part, Rows, Runner } from './backend/backend.ts'
export type { KvPool, KvSequence, Page, SequenceStart } from './backend/kv.ts'
export type { KernelUse, RefusedWay, Runs } from './backend/runs.ts'
export type { ChatMessage, ChatTemplate, RenderOptions } from './chat-template/chat-template.ts'
export type { ToolFormat } from './chat-template/tool-format.ts'
export type { Drafter } from './drafting/drafter.ts'
export type { EncodedPrompt } from './engine/encode-prompt.ts'
export type {
  AnswerSink,
  Conversation,
  Engine,
  EngineModel,
  EnginePromises,
  EngineResult,
  EngineWork,
  RequestFacts,
  RequestIo,
  RunsElsewhere,
  Settled,
  SettleIo,
} from './engine/engine.ts'
export { type GenerateRequest, makeRequest, type RequestInput } from './engine/request.ts'
export type {
  ChoiceRequest,
  ChoiceResult,
  ScoredToken,
  ScoreIo,
  ScoreRequest,
  ScoreResult,
} from './engine/score-request.ts'
export type { FromDisk } from './engine/stored-prompts.ts'
export {
  type LooseStructure,
  type StructureInput,
  type StructureRequest,
  structureOfResponseFormat,
} from './engine/structure-request.ts'
export type { NamedLogprobs, NamedSink, TokenName } from './engine/token-names.ts'
export { type ErrorCode, EXIT_CODES, SpoutError } from './errors.ts'
export {
  type GenerateOptions,
  type GenerateResult,
  generate,
  type StructureResult,
} from './generation/generate.ts'
export type { TextOptions } from './generation/make-text.ts'
export { type PrefillOptions, prefill } from './generation/prefill.ts'
export type { DraftCounts, ForcedCounts } from './generation/sequence-parts.ts'
export type { FinishReason } from './generation/stop-criteria.ts'
export type { Timings } from './generation/timings.ts'
export { TokenOutputStream, type TokenOutputStreamOptions } from './generation/token-output-stream.ts'
export type { SinkWait, TokenSink } from './generation/token-sink.ts'
export type { Allowed, Constraint } from './grammar/constraint.ts'
export type { CallsStructure } from './grammar/json/compile-calls.ts'
export type { SchemaOptions } from './grammar/json/compile-schema.ts'
export type { JsonStyle } from './grammar/json/write-grammar.ts'
export type { Notation, Structure } from './grammar/structure.ts'
export type { FetchIo, Note, Progress } from './hub-cache/fetch-io.ts'
export type { DtypeChoice, DtypeName } from './model/dtype.ts'
export type { Dtype, ModelConfig, ResolvedModel } from './model/resolved-model.ts'
export type { RuntimeChoice } from './onnx-runtime/open-runtime.ts'
export { type Answer, type CompleteOptions, complete, stream } from './open/complete.ts'
export type { DeviceChoice } from './open/device-choice.ts'
export type { OpenedConversation, OpenedEngine } from './open/disposable-engine.ts'
export { EMBEDDED_MODEL } from './open/embedded-model.ts'
export type { CachePlace, ListedModel, Prepared, PrepareOptions, PullOptions } from './open/models.ts'
export * as models from './open/models.ts'
export { type OpenedBackend, openBackend, openEngine } from './open/open-engine.ts'
export type { ModelChoice, OpenEngineOptions, OpenHow, OpenIo } from './open/open-options.ts'
export type { HandOver, HandOverOptions } from './prefix-cache/hand-over.ts'
export type { LogitsProcessor } from './sampling/logits-processor.ts'
export type { AllowedIds, Mask } from './sampling/masked-row.ts'
export {
  createSampler,
  type Distribution,
  type OpenSampler,
  type Sampler,
  type SamplerModel,
} from './sampling/sampler.ts'
export type { SamplingOptions, SamplingParams } from './sampling/sampling-params.ts'
export type { TokenLogprobs } from './sampling/token-logprobs.ts'
export { type Decision, decide, type RatedChoice, type ScoredChoice } from './scoring/decide.ts'
export type { DecodeOptions, EncodeOptions, PieceTable, Tokenizer } from './tokenizer/tokenizer.ts'
export type { Trace } from './trace.ts'
