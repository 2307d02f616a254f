/** The receipt of an answer that was given here. */
import { createHash } from 'node:crypto'
import { loadChatTemplate } from '../chat-template/chat-template.ts'
import type { AnswerSink, Engine, EngineResult } from '../engine/engine.ts'
import type { GenerateRequest } from '../engine/request.ts'
import { NUMERICS_VERSION } from '../kernels/numerics/version.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import { hashModelFiles } from './model-files.ts'
import { runsHere } from './model-settings.ts'
import { makeReceipt, type Receipt, sha256 } from './receipt.ts'

interface AnswerGiven {
  readonly engine: Engine
  readonly resolved: ResolvedModel
  readonly request: GenerateRequest
  readonly result: EngineResult
  /** SHA-256 of the text, as `hashingText` finds it. */
  readonly textHash: string
  /** Of this program. */
  readonly version: string
  readonly precise: boolean
  /** A template of the user's, in place of the model's. */
  readonly templateFile: string | undefined
  /** What `SOURCE_DATE_EPOCH` was. */
  readonly clock: number
  readonly signal?: AbortSignal | undefined
}

/** Hashes the model's files: about a second for a gigabyte. */
export async function receiptOf(answer: AnswerGiven): Promise<Receipt> {
  const { engine, resolved, request, result, textHash, clock } = answer
  const { id, revision, dtype, contextLength } = engine.model
  const runs = runsHere(engine.model)
  const template = await loadChatTemplate(resolved.folder, { file: answer.templateFile })
  const usesTemplate = template !== undefined && result.isChat
  return makeReceipt({
    made_by: {
      spout: answer.version,
      numerics: NUMERICS_VERSION,
      runtime: runs.runtime,
      device: runs.device,
      matmul: runs.kernels.matmul,
      attention: runs.kernels.attention,
      isa: runs.kernels.isa ?? null,
      prepared: runs.prepared,
      precise: answer.precise,
      context: contextLength,
    },
    model: { id, revision: revision ?? null, dtype, files: await hashModelFiles(resolved, answer.signal) },
    template: { sha256: usesTemplate ? sha256(template.source) : null },
    clock,
    request,
    promptIds: promptIdsOf(engine, request),
    result,
    textHash,
  })
}

/** A sink that hands everything on, and the hash of the text that went through it. */
export function hashingText(sink: AnswerSink): { readonly sink: AnswerSink; readonly digest: () => string } {
  const hash = createHash('sha256')
  return {
    sink: {
      token(id, text, logprobs) {
        hash.update(text)
        return sink.token(id, text, logprobs)
      },
      lastPiece(text) {
        hash.update(text)
        return sink.lastPiece(text)
      },
      ...(sink.reasoning && { reasoning: (text: string) => sink.reasoning!(text) }),
    },
    digest: () => hash.digest('hex'),
  }
}

function promptIdsOf(engine: Engine, request: GenerateRequest): Int32Array {
  const conversation = engine.openConversation()
  try {
    return conversation.encode(request).ids
  } finally {
    conversation.dispose()
  }
}
