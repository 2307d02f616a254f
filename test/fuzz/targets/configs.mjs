/** Damaged config.json, generation_config.json and the like: refused, or a sampler that chooses an id. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadChatTemplate } from '../../../dist/chat-template/chat-template.js'
import { loadModelConfig } from '../../../dist/model/model-config.js'
import { samplingDefaults } from '../../../dist/sampling/generation-defaults.js'
import { createSampler } from '../../../dist/sampling/sampler.js'
import { mutateBytes, mutateJson } from '../mutate.mjs'

const MODEL = fileURLToPath(new URL('../../../fixtures/models/tiny-chat/', import.meta.url))
const GENERATION = {
  do_sample: true,
  temperature: 0.7,
  top_k: 20,
  top_p: 0.9,
  min_p: 0.05,
  typical_p: 0.9,
  repetition_penalty: 1.1,
  no_repeat_ngram_size: 3,
  min_new_tokens: 2,
  suppress_tokens: [1, 2],
  bad_words_ids: [[3], [4, 5]],
  eos_token_id: [2, 3],
}
const GENAI = {
  model: {
    context_length: 512,
    eos_token_id: [2],
    vocab_size: 100,
    decoder: { filename: 'model.onnx', head_size: 8 },
  },
}

export async function open() {
  const read = (name) => JSON.parse(readFileSync(join(MODEL, name), 'utf8'))
  const files = {
    'config.json': {
      ...read('config.json'),
      rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 64 },
    },
    'generation_config.json': GENERATION,
    'genai_config.json': GENAI,
    'tokenizer_config.json': read('tokenizer_config.json'),
  }
  return async ({ random, folder }) => {
    const chosen = random.pick(Object.keys(files))
    for (const [name, json] of Object.entries(files)) {
      if (name === 'genai_config.json' && chosen !== name) continue
      const text = JSON.stringify(name === chosen && random.chance(0.85) ? mutateJson(json, random) : json)
      writeFileSync(
        join(folder, name),
        name === chosen && random.chance(0.2) ? mutateBytes(Buffer.from(text), random) : text,
      )
    }
    const config = loadModelConfig(folder, () => undefined)
    const { options } = samplingDefaults(config.generation)
    const vocabSize = 300
    const sampler = createSampler(
      { ...options, seed: 1n },
      { vocabSize, stopTokenIds: new Set(config.eosTokenIds) },
    )
    for (let i = 0; i < 8; i++) {
      const id = sampler.sample(Float32Array.from({ length: vocabSize }, (_, k) => Math.sin(k * (i + 1))))
      if (!(id >= 0 && id < vocabSize)) return { wrong: `id ${id}` }
    }
    await loadChatTemplate(folder)
    return {}
  }
}
