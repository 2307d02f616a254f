import { join } from 'node:path'
import { SpoutError } from '../errors.ts'
import { type JsonObject, readJsonFile } from '../system/json-file.ts'
import { quote } from '../system/text-display.ts'
import type { ModelConfig } from './resolved-model.ts'

// What a model says about itself, checked once. Families spell the same number in different ways (n_layer,
// num_layers, num_hidden_layers) and newer ones nest it under text_config; here it gets one name. A number
// that cannot be true is an error, except where doing without it is safe: then it is left out with a warning.

/**
 * Reads config.json and generation_config.json of a model's folder, or genai_config.json where it is the only one.
 * @param warn told about values that were left out.
 * Throws `config` naming the file and the field.
 */
export function loadModelConfig(folder: string, warn?: (text: string) => void): ModelConfig {
  const genai = readJsonFile(join(folder, 'genai_config.json'))
  const raw = readJsonFile(join(folder, 'config.json')) ?? (genai && configFromGenai(genai))
  if (raw === undefined) {
    throw new SpoutError('config', 'config.json: not found in the model folder', {
      hint: 'a model folder holds config.json, tokenizer.json and onnx/model*.onnx',
    })
  }
  const generation = readJsonFile(join(folder, 'generation_config.json')) ?? object(genai?.search) ?? {}
  return parseModelConfig({ raw, generation, genai, warn })
}

interface Sources {
  readonly raw: JsonObject
  readonly generation: JsonObject
  readonly genai?: JsonObject | undefined
  readonly warn?: ((text: string) => void) | undefined
}

/** The checked values of parsed files. Throws `config`. */
function parseModelConfig({ raw, generation, genai, warn }: Sources): ModelConfig {
  const number = (names: readonly string[], max: number) => integer(raw, names, max)
  const vocabSize = number(['vocab_size'], 2 ** 26)
  const hiddenSize = number(['hidden_size', 'n_embd', 'd_model'], 2 ** 20)
  const attentionHeads = number(['num_attention_heads', 'n_head', 'n_heads'], 2 ** 16)
  const usable = usableId(vocabSize, warn)
  const eos = generation.eos_token_id ?? find(raw, ['eos_token_id']) ?? object(genai?.model)?.eos_token_id
  return {
    modelType: typeof raw.model_type === 'string' ? raw.model_type : undefined,
    vocabSize,
    contextLength: contextLength(raw, genai, warn),
    hiddenSize,
    layers: number(['num_hidden_layers', 'n_layer', 'num_layers', 'n_layers'], 10_000),
    attentionHeads,
    kvHeads: kvHeads(raw, attentionHeads),
    headDim: number(['head_dim', 'head_size'], 2 ** 16) ?? quotient(hiddenSize, attentionHeads),
    eosTokenIds: [...new Set([eos].flat().filter(usable('eos_token_id')))],
    generation,
    raw,
  }
}

/** genai_config.json in the words of config.json. */
function configFromGenai(genai: JsonObject): JsonObject {
  const model = object(genai.model) ?? {}
  const decoder = object(model.decoder) ?? {}
  return { ...decoder, ...model, model_type: model.type, decoder: undefined }
}

/** The first of `names` that is set, at the top or in `text_config`. */
function find(raw: JsonObject, names: readonly string[]): unknown {
  const places = [raw, object(raw.text_config) ?? object(raw.llm_config) ?? {}]
  for (const place of places) {
    for (const name of names) if (place[name] !== undefined && place[name] !== null) return place[name]
  }
  return undefined
}

function integer(raw: JsonObject, names: readonly string[], max: number): number | undefined {
  const value = find(raw, names)
  if (value === undefined) return undefined
  if (Number.isInteger(value) && (value as number) > 0 && (value as number) <= max) return value as number
  throw new SpoutError('config', `config.json: ${names[0]} is ${quote(value, 40)}, expected 1 to ${max}`, {
    hint: 'the file is damaged or the model is not a text model',
  })
}

function contextLength(raw: JsonObject, genai: JsonObject | undefined, warn: Sources['warn']) {
  const names = [
    'max_position_embeddings',
    'n_positions',
    'n_ctx',
    'max_seq_len',
    'seq_length',
    'context_length',
  ]
  const value = find(raw, names) ?? object(genai?.model)?.context_length
  if (Number.isInteger(value) && (value as number) > 0 && (value as number) < 2 ** 31) return value as number
  if (value !== undefined) warn?.(`config.json: a context of ${quote(value, 40)} tokens is not believed`)
  return undefined
}

function kvHeads(raw: JsonObject, attentionHeads: number | undefined): number | undefined {
  const named = integer(raw, ['num_key_value_heads', 'num_kv_heads', 'n_head_kv'], 2 ** 16)
  if (raw.new_decoder_architecture === true) return named ?? attentionHeads
  return raw.multi_query === true ? 1 : (named ?? attentionHeads)
}

/** A filter that keeps token ids the vocabulary has, and tells of those it has not. */
function usableId(vocabSize: number | undefined, warn: Sources['warn']) {
  const end = vocabSize ?? 2 ** 31
  return (field: string) =>
    (id: unknown): id is number => {
      if (id === undefined || id === null) return false
      const ok = Number.isInteger(id) && (id as number) >= 0 && (id as number) < end
      if (!ok) warn?.(`${field}: ${quote(id, 40)} is not a token id of this model and is left out`)
      return ok
    }
}

function quotient(size: number | undefined, heads: number | undefined): number | undefined {
  return size !== undefined && heads !== undefined && size % heads === 0 ? size / heads : undefined
}

function object(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined
}
