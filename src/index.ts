/** What the library exports. */
export type { Backend, KvCache, Logits, ModelFacts, Numerics, Part, Rows, Runner } from './backend/backend.ts'
export type { KvPool, KvSequence, Page, SequenceStart } from './backend/kv.ts'
export type { Runs } from './backend/runs.ts'
export type { ChatMessage } from './chat-template/chat-template.ts'
export type { EncodedPrompt } from './engine/encode-prompt.ts'
export type {
  AnswerSink,
  Conversation,
  Engine,
  EngineModel,
  EngineResult,
  RequestFacts,
  RequestIo,
  Settled,
  SettleIo,
} from './engine/engine.ts'
export { type GenerateRequest, makeRequest, type RequestInput } from './engine/request.ts'
export {
  type LooseStructure,
  type StructureInput,
  type StructureRequest,
  structureOfResponseFormat,
} from './engine/structure-request.ts'
export { type ErrorCode, EXIT_CODES, SpoutError } from './errors.ts'
export type { StructureResult } from './generation/generate.ts'
export { type GenerateOptions, type GenerateResult, generate } from './generation/generate.ts'
export { prefill } from './generation/prefill.ts'
export type { FinishReason } from './generation/stop-criteria.ts'
export type { Timings } from './generation/timings.ts'
export { TokenOutputStream } from './generation/token-output-stream.ts'
export type { TokenSink } from './generation/token-sink.ts'
export type { Allowed, Constraint } from './grammar/constraint.ts'
export type { SchemaOptions } from './grammar/json/compile-schema.ts'
export type { Notation, Structure } from './grammar/structure.ts'
export type { FetchIo, Progress } from './hub-cache/fetch-io.ts'
export type { ResolvedModel } from './model/resolved-model.ts'
export { type Answer, type CompleteOptions, complete, stream } from './open/complete.ts'
export { EMBEDDED_MODEL } from './open/embedded-model.ts'
export { openBackend, openEngine } from './open/open-engine.ts'
export type { ModelChoice, OpenEngineOptions, OpenHow, OpenIo } from './open/open-options.ts'
export type { LogitsProcessor } from './sampling/logits-processor.ts'
export type { AllowedIds, Mask } from './sampling/masked-row.ts'
export { createSampler } from './sampling/sampler.ts'
export type { SamplingOptions, SamplingParams } from './sampling/sampling-params.ts'
export type { TokenLogprobs } from './sampling/token-logprobs.ts'
export type { Tokenizer } from './tokenizer/tokenizer.ts'
export type { Trace } from './trace.ts'
