/**
 * A receipt: what determined an answer, and the answer's ids, as one JSON document. Whoever runs the same request over the
 * same files, anywhere, can tell whether the same ids come out, and if not, what is different.
 */
import { createHash } from 'node:crypto'
import type { Runs } from '../backend/runs.ts'
import type { EngineResult } from '../engine/engine.ts'
import { type JsonRecord, requestToJson, samplingToJson } from '../engine/plain-request.ts'
import type { GenerateRequest } from '../engine/request.ts'
import { requestFromJson } from '../engine/request-json.ts'
import { SpoutError } from '../errors.ts'

/** The number of this form of the document. */
const RECEIPT_FORMAT = 1

/** Parts of a receipt, each sealed for itself: what was changed afterwards can be named. */
interface ReceiptParts {
  /** What computed it. */
  readonly made_by: {
    readonly spout: string
    /** Of the definition that own kernels equal to the last bit, whatever the instruction set. */
    readonly numerics: number
    readonly runtime: string
    readonly device: Runs['device']
    readonly matmul: string
    readonly attention: string
    /** The instruction set of own kernels; it does not change a bit. */
    readonly isa: string | null
    readonly prepared: boolean
    readonly precise: boolean
    readonly context: number
  }
  readonly model: {
    readonly id: string
    readonly revision: string | null
    readonly dtype: string
    readonly files: readonly ReceiptFile[]
  }
  readonly template: { readonly sha256: string | null }
  readonly request: JsonRecord
  /** Seconds since 1970 that a chat template is told. */
  readonly clock: number
  readonly prompt: { readonly tokens: number; readonly sha256: string }
  /** What was asked for over the author's defaults, without the seed. */
  readonly sampling: JsonRecord
  /** Digits of a number of 64 bits. */
  readonly seed: string
  readonly answer: {
    readonly token_ids: readonly number[]
    readonly ids_sha256: string
    /** Of the text as UTF-8, reasoning not in it. */
    readonly text_sha256: string
    readonly finish_reason: string
  }
}

export interface Receipt extends ReceiptParts {
  readonly spout_receipt: typeof RECEIPT_FORMAT
  /** SHA-256 of each part as JSON. */
  readonly seals: { readonly [K in keyof ReceiptParts]: string }
}

/** A file that determined the answer. */
export interface ReceiptFile {
  /** Below the model's folder, with forward slashes. */
  readonly name: string
  readonly role: 'weights' | 'tokenizer' | 'template' | 'config'
  readonly bytes: number
  readonly sha256: string
}

interface ReceiptInput extends Pick<ReceiptParts, 'made_by' | 'model' | 'template' | 'clock'> {
  readonly request: GenerateRequest
  /** Of the prompt as it went into the model. */
  readonly promptIds: Int32Array
  readonly result: EngineResult
  readonly textHash: string
}

export function makeReceipt(input: ReceiptInput): Receipt {
  const { made_by, model, template, clock, request, promptIds, result, textHash } = input
  const parts: ReceiptParts = {
    made_by,
    model,
    template,
    request: requestToJson(request),
    clock,
    prompt: { tokens: promptIds.length, sha256: hashIds(promptIds) },
    sampling: samplingToJson({ ...result.sampling, seed: undefined }),
    seed: `${result.seed}`,
    answer: {
      token_ids: [...result.tokenIds],
      ids_sha256: hashIds(Int32Array.from(result.tokenIds)),
      text_sha256: textHash,
      finish_reason: result.finishReason,
    },
  }
  const seals = Object.fromEntries(PARTS.map((name) => [name, sealOf(parts[name])]))
  return { spout_receipt: RECEIPT_FORMAT, ...parts, seals: seals as Receipt['seals'] }
}

/** @throws SpoutError `data` for what is no receipt, or one of another form. */
export function parseReceipt(text: string): Receipt {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw notOne('it is not JSON', cause)
  }
  if (!isRecord(value) || !('spout_receipt' in value)) throw notOne('it has no field spout_receipt')
  if (value.spout_receipt !== RECEIPT_FORMAT) {
    throw new SpoutError('data', `receipt: its form is ${String(value.spout_receipt)}, this spout reads 1`, {
      hint: 'the version that made it can verify it: see made_by',
    })
  }
  checkForm(value, FORM, '')
  requestFromJson(value.request)
  return value as unknown as Receipt
}

/** The parts that are not what they were when the receipt was written. */
export function brokenSeals({ seals, ...parts }: Receipt): (keyof ReceiptParts)[] {
  return PARTS.filter((name) => sealOf(parts[name]) !== seals[name])
}

/** SHA-256 of ids as little-endian numbers of 32 bits. */
function hashIds(ids: Int32Array): string {
  const bytes = Buffer.alloc(4 * ids.length)
  for (let i = 0; i < ids.length; i++) bytes.writeInt32LE(ids[i]!, 4 * i)
  return sha256(bytes)
}

export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex')
}

function sealOf(part: unknown): string {
  return sha256(JSON.stringify(part))
}

/** What each field must be: a type, an object of fields, or a list of one. `x?`: may be null. */
type Form = string | { readonly [name: string]: Form } | readonly [Form]

const FORM: { readonly [name: string]: Form } = {
  made_by: {
    ...{ spout: 'string', numerics: 'number', runtime: 'string', device: 'string', matmul: 'string' },
    ...{ attention: 'string', isa: 'string?', prepared: 'boolean', precise: 'boolean', context: 'number' },
  },
  model: {
    ...{ id: 'string', revision: 'string?', dtype: 'string' },
    files: [{ name: 'string', role: 'string', bytes: 'number', sha256: 'string' }],
  },
  template: { sha256: 'string?' },
  request: 'object',
  clock: 'number',
  prompt: { tokens: 'number', sha256: 'string' },
  sampling: 'object',
  seed: 'digits',
  answer: { token_ids: ['number'], ids_sha256: 'string', text_sha256: 'string', finish_reason: 'string' },
}

const PARTS = Object.keys(FORM) as (keyof ReceiptParts)[]

function checkForm(value: unknown, form: Form, path: string): void {
  if (typeof form === 'string') {
    if (!isOfType(value, form)) throw notOne(`${path} is missing or of another type`)
  } else if (Array.isArray(form)) {
    if (!Array.isArray(value)) throw notOne(`${path} is missing or no list`)
    for (const [i, each] of value.entries()) checkForm(each, form[0], `${path}[${i}]`)
  } else {
    if (!isRecord(value)) throw notOne(`${path} is missing or no object`)
    for (const [name, each] of Object.entries(form)) {
      checkForm(value[name], each, path === '' ? name : `${path}.${name}`)
    }
  }
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'object') return isRecord(value)
  if (type === 'digits') return typeof value === 'string' && /^\d{1,20}$/.test(value)
  if (type.endsWith('?')) return value === null || typeof value === type.slice(0, -1)
  return typeof value === type
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function notOne(why: string, cause?: unknown): SpoutError {
  return new SpoutError('data', `receipt: ${why}`, {
    hint: 'spout --receipt FILE "prompt" writes one',
    cause,
  })
}
