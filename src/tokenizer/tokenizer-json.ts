/**
 * tokenizer.json, checked. A model folder is untrusted input: whatever the tokenizer reads later is looked at here once,
 * and a wrong field is named in the error.
 */
import { SpoutError } from '../errors.ts'
import { quote } from '../system/text-display.ts'

/** A normalizer, pre-tokenizer, post-processor or decoder: a type and its own fields. */
export interface Step {
  readonly type: string
  readonly [field: string]: unknown
}

export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special: boolean
  /** Looked for after normalization instead of before. */
  readonly normalized: boolean
  /** Swallows white space before it, after it. */
  readonly lstrip: boolean
  readonly rstrip: boolean
  /** Only where no word character is beside it. */
  readonly singleWord: boolean
}

export interface ModelJson {
  readonly type: string
  /** Token to id. Own properties only: a token may be called `__proto__`. */
  readonly vocab: Readonly<Record<string, number>>
  /** Tokens by id; holes are `undefined`. */
  readonly tokens: readonly (string | undefined)[]
  /** Tokens whose id went to a later one of the same id. */
  readonly displaced: readonly string[]
  readonly raw: Readonly<Record<string, unknown>>
}

/** What is done around the model: all of the file but its vocabulary. */
export interface TokenizerSteps {
  readonly addedTokens: readonly AddedToken[]
  readonly normalizer: Step | null
  readonly preTokenizer: Step | null
  readonly postProcessor: Step | null
  readonly decoder: Step | null
}

export interface TokenizerJson {
  readonly model: ModelJson
  readonly steps: TokenizerSteps
  /** What the file asks for and is left out. */
  readonly leftOut: readonly string[]
}

/** Far above any vocabulary in use. */
const MOST_IDS = 1 << 22

/** @throws SpoutError `config`, `tokenizer.json: <field> …`. */
export function parseTokenizerJson(text: string): TokenizerJson {
  const raw = parseObject(text)
  const { type, vocab, raw: rawModel } = parseModel(raw.model)
  const addedTokens = parseAddedTokens(raw.added_tokens ?? [])
  const { tokens, displaced } = tokensById(vocab)
  if (tokens.length === 0 && addedTokens.length === 0) throw invalid('model.vocab', 'is empty')
  return {
    model: { type, vocab, tokens, displaced, raw: rawModel },
    steps: {
      addedTokens,
      normalizer: parseStep(raw.normalizer, 'normalizer'),
      preTokenizer: parseStep(raw.pre_tokenizer, 'pre_tokenizer'),
      postProcessor: parseStep(raw.post_processor, 'post_processor'),
      decoder: parseStep(raw.decoder, 'decoder'),
    },
    leftOut: ['truncation', 'padding'].filter((field) => raw[field]),
  }
}

/** A complaint about one field. */
export function invalid(field: string, detail: string, cause?: unknown): SpoutError {
  return new SpoutError('config', `tokenizer.json: ${field} ${detail}`, {
    hint: 'the file may be damaged: download the model again',
    cause,
  })
}

/** A file of a kind that is not known here. */
export function unsupported(field: string, value: string): SpoutError {
  return new SpoutError('config', `tokenizer.json: ${field} ${value} is not supported`)
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid('the file', 'is not JSON', cause)
  }
  if (!isObject(value)) throw invalid('the file', 'is not an object')
  return value
}

function parseModel(value: unknown): Pick<ModelJson, 'type' | 'vocab' | 'raw'> {
  if (!isObject(value)) throw invalid('model', 'is missing')
  const type = value.type ?? (isObject(value.vocab) && value.merges ? 'BPE' : undefined)
  if (typeof type !== 'string') throw invalid('model.type', 'is missing')
  if (type === 'Unigram') return { type, vocab: unigramVocab(value.vocab), raw: value }
  if (!isObject(value.vocab)) throw invalid('model.vocab', 'is not an object')
  return { type, vocab: value.vocab as Record<string, number>, raw: value }
}

/** Unigram lists pairs of token and score: the id is the place. */
function unigramVocab(value: unknown): Record<string, number> {
  if (!Array.isArray(value)) throw invalid('model.vocab', 'is not a list')
  const vocab: Record<string, number> = Object.create(null)
  value.forEach((entry, id) => {
    const [token, score] = Array.isArray(entry) ? entry : []
    if (typeof token !== 'string' || typeof score !== 'number')
      throw invalid(`model.vocab[${id}]`, 'is not a token with a score')
    vocab[token] = id
  })
  return vocab
}

function tokensById(vocab: ModelJson['vocab']): Pick<ModelJson, 'tokens' | 'displaced'> {
  const tokens: (string | undefined)[] = []
  const displaced: string[] = []
  for (const token of Object.keys(vocab)) {
    const id = vocab[token]
    if (!isId(id)) throw invalid('model.vocab', `gives ${quote(token, 40)} no id`)
    // Grown without holes, which would make it a slow dictionary.
    while (tokens.length < id) tokens.push(undefined)
    const before = tokens[id]
    if (before !== undefined) displaced.push(before)
    tokens[id] = token
  }
  return { tokens, displaced }
}

/** True of what may be an id: a table of ids is never as large as a file says. */
export function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < MOST_IDS
}

function parseAddedTokens(value: unknown): AddedToken[] {
  if (!Array.isArray(value)) throw invalid('added_tokens', 'is not a list')
  return value.map((entry, i) => {
    const field = `added_tokens[${i}]`
    if (!isObject(entry)) throw invalid(field, 'is not an object')
    if (!isId(entry.id)) throw invalid(`${field}.id`, 'is not an id')
    if (typeof entry.content !== 'string') throw invalid(`${field}.content`, 'is not a text')
    const special = entry.special === true
    return {
      id: entry.id,
      content: entry.content,
      special,
      normalized: typeof entry.normalized === 'boolean' ? entry.normalized : !special,
      lstrip: entry.lstrip === true,
      rstrip: entry.rstrip === true,
      singleWord: entry.single_word === true,
    }
  })
}

/** A field that is a text, or is left out. @param path such as `decoder.suffix`: the last name is the field's. */
export function textField(object: Readonly<Record<string, unknown>>, path: string, fallback: string): string {
  const value = object[path.slice(path.lastIndexOf('.') + 1)]
  if (value === undefined || value === null) return fallback
  if (typeof value !== 'string') throw invalid(path, 'is not a text')
  return value
}

/** A field that is a count, or is left out. */
export function countField(
  object: Readonly<Record<string, unknown>>,
  path: string,
  fallback: number,
): number {
  const value = object[path.slice(path.lastIndexOf('.') + 1)]
  if (value === undefined || value === null) return fallback
  if (!isId(value)) throw invalid(path, 'is not a count')
  return value
}

/** Checks a step. */
function parseStep(value: unknown, field: string): Step | null {
  if (value === undefined || value === null) return null
  if (!isObject(value) || typeof value.type !== 'string') throw invalid(field, 'has no type')
  return value as Step
}

/** The steps that a sequence nests under `key`. */
export function nestedSteps(step: Step, key: string, field: string): Step[] {
  const list = step[key]
  if (!Array.isArray(list)) throw invalid(`${field}.${key}`, 'is not a list')
  return list.map((entry, i) => {
    const nested = parseStep(entry, `${field}.${key}[${i}]`)
    if (nested === null) throw invalid(`${field}.${key}[${i}]`, 'is null')
    return nested
  })
}
