/** `--receipt FILE`: what determined the answer, written once the answer is whole. */
import type { AnswerSink, Engine, EngineResult } from '../engine/engine.ts'
import type { GenerateRequest } from '../engine/request.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import type { OpenEngineOptions } from '../open/open-options.ts'
import { openFileOutput } from '../output/file-output.ts'
import { hashingText, receiptOf } from '../receipt/receipt-of.ts'
import { toJson } from '../system/text-display.ts'
import type { Options } from './options.ts'
import { version } from './version.ts'

export interface ReceiptFile {
  /** What the engine is opened with: the model's files are noted on the way. */
  watching(options: OpenEngineOptions): OpenEngineOptions
  /** The sink of the answer, its text hashed on the way. */
  hashing(sink: AnswerSink): AnswerSink
  write(answer: { engine: Engine; request: GenerateRequest; result: EngineResult }): Promise<void>
  /** Nothing is written, and an older file stays. */
  discard(): void
}

/** The prompt is in it: for nobody else's eyes. */
const ONLY_OWNER = 0o600

/** @throws SpoutError `output` when it cannot be written; before anything is loaded. */
export function openReceipt(path: string, options: Options): ReceiptFile {
  const file = openFileOutput(path, { mode: ONLY_OWNER })
  const clock = fixClock()
  let resolved: ResolvedModel | undefined
  let digest: () => string
  return {
    watching(open) {
      const onResolved = (model: ResolvedModel): void => {
        resolved = model
        open.onResolved?.(model)
      }
      return { ...open, onResolved }
    },
    hashing(sink) {
      const hashed = hashingText(sink)
      digest = hashed.digest
      return hashed.sink
    },
    async write({ engine, request, result }) {
      if (result.finishReason === 'aborted') return file.discard()
      const { precise = false, chatTemplate: templateFile } = options
      const given = { engine, request, result, textHash: digest(), clock, precise, templateFile }
      const receipt = await receiptOf({ ...given, resolved: resolved!, version: version() })
      await file.write(`${toJson(receipt, 2)}\n`)
      await file.flush()
      file.commit()
    },
    discard: () => file.discard(),
  }
}

/** A template that tells the date is told one that can be told again. Seconds since 1970. */
export function fixClock(seconds = Math.floor(Date.now() / 1000)): number {
  process.env.SOURCE_DATE_EPOCH ||= `${seconds}`
  return Number(process.env.SOURCE_DATE_EPOCH)
}
