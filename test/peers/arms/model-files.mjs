/** What every arm reads of a made model, and the greedy choice of the arms that have no sampler. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The files of a model made by make-models.py. */
export function modelFiles(folder) {
  return { folder, onnx: join(folder, 'onnx/model_q4.onnx'), gguf: join(folder, 'model_q4_0.gguf') }
}

/** The sizes a token loop needs: `heads` counts those of the KV cache. */
export function readConfig(model) {
  const config = JSON.parse(readFileSync(join(model.folder, 'config.json'), 'utf8'))
  return {
    layers: config.num_hidden_layers,
    heads: config.num_key_value_heads,
    headDim: config.head_dim,
    vocab: config.vocab_size,
  }
}

/** Index of the largest value; fails on NaN, where a plain search would answer 0 for ever. */
export function argmax(row) {
  let best = 0
  for (let id = 1; id < row.length; id++) if (row[id] > row[best]) best = id
  if (Number.isNaN(row[best])) throw new Error('logits: NaN')
  return best
}
