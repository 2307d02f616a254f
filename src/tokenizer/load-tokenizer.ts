import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Tokenizer as Library } from '@huggingface/tokenizers'
import { SpoutError } from '../errors.ts'
import { type AddedToken, createAddedTokenSplitter } from './added-tokens.ts'
import { compileDecoder, type Step } from './decoder.ts'
import { createPieceTable } from './piece-table.ts'
import type { DecodeOptions, EncodeOptions, Tokenizer } from './tokenizer.ts'

export interface LoadTokenizerOptions {
  /** Told, in a sentence, of what a file asks for and we leave out. */
  readonly note?: (message: string) => void
}

/**
 * Reads tokenizer.json (and tokenizer_config.json beside it) of a model folder.
 * @throws SpoutError `not-found` without a tokenizer.json, `config` when it cannot be used.
 */
export async function loadTokenizer(folder: string, options: LoadTokenizerOptions = {}): Promise<Tokenizer> {
  const json = await readJson(join(folder, 'tokenizer.json'))
  const config = await readJson(join(folder, 'tokenizer_config.json')).catch(() => ({}))
  if (json.truncation) options.note?.('tokenizer.json asks for truncation: ignored')
  if (json.padding) options.note?.('tokenizer.json asks for padding: ignored')
  return createTokenizer(json, config)
}

type Json = Record<string, unknown>

async function readJson(path: string): Promise<Json> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new SpoutError('not-found', `tokenizer.json: not in the model folder`, { cause })
  }
  try {
    return JSON.parse(text) as Json
  } catch (cause) {
    throw new SpoutError('config', `tokenizer.json: not JSON`, { cause })
  }
}

interface LibraryParts {
  normalizer: ((text: string) => string) | null
  pre_tokenizer: ((text: string, options: { section_index: number }) => string[]) | null
  model: {
    (tokens: string[]): string[]
    tokens_to_ids: Map<string, number>
    vocab: string[]
    unk_token_id?: number
  }
  post_processor: ((tokens: string[], pair: null, add: boolean) => { tokens: string[] }) | null
  decoder: ((tokens: string[]) => string) | null
}

function createTokenizer(json: Json, config: Json): Tokenizer {
  const library = new Library(json, config) as unknown as LibraryParts
  const added = (json.added_tokens as (AddedToken & { single_word?: boolean })[]).map((t) => ({
    ...t,
    singleWord: t.single_word === true,
  }))
  const special = new Set(added.filter((t) => t.special).map((t) => t.id))
  const raw = createAddedTokenSplitter(
    added.filter((t) => !t.normalized).map((t) => ({ ...t, text: t.content })),
  )
  const normalized = createAddedTokenSplitter(
    added
      .filter((t) => t.normalized)
      .map((t) => ({ ...t, text: library.normalizer ? library.normalizer(t.content) : t.content })),
  )
  const tokens = library.model.vocab
  const decoder = compileDecoder(json.decoder as Step | null)
  const pieces = decoder && createPieceTable(tokens, decoder)
  const wrap = library.post_processor?.(['\0'], null, true).tokens ?? ['\0']
  const idOf = (token: string) => library.model.tokens_to_ids.get(token) ?? library.model.unk_token_id
  const at = wrap.indexOf('\0')
  const before = wrap.slice(0, at).map((t) => idOf(t)!)
  const after = wrap.slice(at + 1).map((t) => idOf(t)!)

  function encode(text: string, options: EncodeOptions = {}): Int32Array {
    if (/\p{Surrogate}/u.test(text)) throw new SpoutError('data', 'text: a lone surrogate is not Unicode')
    const { addSpecialTokens = true, allowSpecial = false, cuts = [] } = options
    const ids: number[] = addSpecialTokens ? [...before] : []
    for (const span of raw(text, { allowSpecial, cuts })) {
      if (span.id !== undefined) ids.push(span.id)
      else encodeText(text.slice(span.start, span.end), span.start, allowSpecial, ids)
    }
    if (addSpecialTokens) ids.push(...after)
    return Int32Array.from(ids)
  }

  function encodeText(text: string, offset: number, allowSpecial: boolean, ids: number[]): void {
    const clean = library.normalizer ? library.normalizer(text) : text
    for (const span of normalized(clean, { allowSpecial, cuts: [] })) {
      if (span.id !== undefined) {
        ids.push(span.id)
        continue
      }
      const part = clean.slice(span.start, span.end)
      const section_index = offset === 0 && span.start === 0 ? 0 : 1
      const words = library.pre_tokenizer ? library.pre_tokenizer(part, { section_index }) : [part]
      for (const token of library.model(words)) {
        const id = idOf(token)
        if (id !== undefined) ids.push(id)
      }
    }
  }

  function decode(ids: ArrayLike<number>, { skipSpecialTokens = true }: DecodeOptions = {}): string {
    const kept = Array.from(ids).filter(
      (id) => tokens[id] !== undefined && !(skipSpecialTokens && special.has(id)),
    )
    const list = kept.map((id) => tokens[id]!)
    if (list.length === 0) return ''
    return library.decoder ? library.decoder(list) : list.join(' ')
  }

  return {
    vocabSize: tokens.length,
    pieces,
    specialTokens: added.filter((t) => t.special).map((t) => t.content),
    encode,
    decode,
    tokenToId: (token) => library.model.tokens_to_ids.get(token),
    idToToken: (id) => tokens[id],
    isSpecial: (id) => special.has(id),
  }
}
