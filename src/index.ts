/** The library's door. */
export type { Backend, KvCache, Logits, ModelFacts, Numerics, Part, Rows, Runner } from './backend/backend.ts'
export type { KvPool, KvSequence, SequenceStart } from './backend/kv.ts'
export type {
  Conversation,
  Engine,
  EngineDoor,
  EngineModel,
  EngineResult,
  SettleDoor,
  Settled,
} from './engine/engine.ts'
export { type GenerateRequest, makeRequest, type RequestInput } from './engine/request.ts'
export { type ErrorCode, EXIT_CODES, SpoutError } from './errors.ts'
export { type GenerateOptions, type GenerateResult, generate } from './generation/generate.ts'
export { prefill } from './generation/prefill.ts'
export type { FinishReason } from './generation/stop-criteria.ts'
export { TokenOutputStream } from './generation/token-output-stream.ts'
export type { TokenSink } from './generation/token-sink.ts'
export { EMBEDDED_MODEL } from './open/embedded-model.ts'
export { openBackend, openEngine } from './open/open-engine.ts'
export type { ModelChoice, OpenEngineOptions, OpenHow, OpenIo } from './open/open-options.ts'
export { createSampler } from './sampling/sampler.ts'
export type { SamplingOptions, SamplingParams } from './sampling/sampling-params.ts'
export type { Tokenizer } from './tokenizer/tokenizer.ts'
export type { Trace } from './trace.ts'
