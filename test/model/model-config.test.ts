import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadModelConfig } from '../../src/model/model-config.ts'
import { temporaryFolder } from '../support/model-repo.ts'

function folderOf(files: Record<string, unknown>): string {
  const folder = temporaryFolder()
  for (const [name, value] of Object.entries(files)) {
    writeFileSync(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value))
  }
  return folder
}

function load(config: unknown, generation?: unknown) {
  const warnings: string[] = []
  const files = { 'config.json': config, ...(generation ? { 'generation_config.json': generation } : {}) }
  return { warnings, config: loadModelConfig(folderOf(files), (text) => warnings.push(text)) }
}

describe('loadModelConfig', () => {
  it('reads a llama config', () => {
    const { config } = load(
      {
        model_type: 'llama',
        vocab_size: 49152,
        hidden_size: 576,
        num_hidden_layers: 30,
        num_attention_heads: 9,
        num_key_value_heads: 3,
        max_position_embeddings: 8192,
        eos_token_id: 2,
        bos_token_id: 1,
      },
      { eos_token_id: [2, 0], temperature: 0.2 },
    )
    expect(config).toMatchObject({
      modelType: 'llama',
      contextLength: 8192,
      kvHeads: 3,
      headDim: 64,
      eosTokenIds: [2, 0],
      generation: { temperature: 0.2 },
    })
  })

  it('reads the older names of gpt2, and falcon with one head for all keys', () => {
    const gpt2 = load({ n_embd: 768, n_layer: 12, n_head: 12, n_positions: 1024 }).config
    expect(gpt2).toMatchObject({ hiddenSize: 768, layers: 12, contextLength: 1024, headDim: 64, kvHeads: 12 })
    expect(load({ num_attention_heads: 71, multi_query: true }).config.kvHeads).toBe(1)
  })

  it('looks into text_config of models that also see', () => {
    const { config } = load({ model_type: 'gemma3', text_config: { num_hidden_layers: 26, head_dim: 256 } })
    expect(config).toMatchObject({ layers: 26, headDim: 256 })
  })

  it('reads genai_config.json where it is alone', () => {
    const folder = folderOf({
      'genai_config.json': {
        model: {
          type: 'phi3',
          vocab_size: 32064,
          context_length: 4096,
          eos_token_id: [32007, 32001],
          decoder: { num_hidden_layers: 32, num_attention_heads: 32, num_key_value_heads: 32, head_size: 96 },
        },
        search: { do_sample: true, top_k: 50 },
      },
    })
    expect(loadModelConfig(folder)).toMatchObject({
      modelType: 'phi3',
      contextLength: 4096,
      layers: 32,
      headDim: 96,
      eosTokenIds: [32007, 32001],
      generation: { do_sample: true, top_k: 50 },
    })
  })

  it.each([
    ['layers of 1e9', { num_hidden_layers: 1e9 }],
    ['head_dim of -1', { head_dim: -1 }],
    ['heads of 1.5', { num_attention_heads: 1.5 }],
    ['a text for a number', { vocab_size: '32000' }],
    ['no JSON', '{"vocab_size": 1'],
    ['an HTML page', '<!DOCTYPE html><html></html>'],
    ['a list', '[1]'],
    ['nothing', ''],
  ])('M6: %s is refused by name', (_, config) => {
    expect(() => load(config)).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining('config.json: ') }),
    )
  })

  it('M6: no config, or a folder in its place, is refused', () => {
    expect(() => loadModelConfig(folderOf({}))).toThrow(/config\.json: not found/)
    const folder = folderOf({})
    mkdirSync(join(folder, 'config.json'))
    expect(() => loadModelConfig(folder)).toThrow(/config\.json: not a regular file/)
  })

  it('M6: a context of 2^40 is left out with a warning, a missing one without', () => {
    const huge = load({ max_position_embeddings: 2 ** 40 })
    expect(huge.config.contextLength).toBeUndefined()
    expect(huge.warnings).toHaveLength(1)
    expect(load({}).warnings).toEqual([])
  })

  it('M6: end ids that are null, lists or out of range', () => {
    expect(load({ eos_token_id: null }).config.eosTokenIds).toEqual([])
    expect(load({ eos_token_id: [1, 1, 2] }).config.eosTokenIds).toEqual([1, 2])
    const wrong = load({ vocab_size: 10, eos_token_id: [9, 10, -1, '3'] })
    expect(wrong.config.eosTokenIds).toEqual([9])
    expect(wrong.warnings).toHaveLength(3)
  })

  it('reads what Python writes for infinity', () => {
    expect(load('{"time_step_limit": [0.0, Infinity], "note": "NaN Infinity"}').config.raw).toEqual({
      time_step_limit: [0, null],
      note: 'NaN Infinity',
    })
  })
})
