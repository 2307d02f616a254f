#!/usr/bin/env node
/**
 * Do the ONNX and the GGUF file of a shape hold the same model? Two engines that share no code read one prompt; the scores of
 * the next token must agree. They round differently (each quantizes activations in its own way), so not to the last digit:
 * a swapped nibble, row or rotation would leave no correlation at all.
 *
 *     node test/peers/check-models.mjs [folder of a model …]
 */
import { createRequire } from 'node:module'
import { getLlama } from 'node-llama-cpp'
import { modelFiles, readConfig } from './arms/model-files.mjs'
import { makeRandom, promptIds } from './schedule.mjs'

const LEAST_CORRELATION = 0.98
const LENGTH = 500 // long enough for a wrong rotation base to show

async function check(folder) {
  const model = modelFiles(folder)
  const { vocab } = readConfig(model)
  const ids = promptIds(LENGTH, Math.min(vocab, 40_000), makeRandom(7))
  const ours = await onnxLogits(model, ids)
  const theirs = await ggufLogits(model, ids)
  const seen = correlation(ours, theirs)
  const common = top(ours, 20).filter((id) => top(theirs, 20).includes(id)).length
  process.stdout.write(`${folder}: correlation ${seen.toFixed(4)}, ${common} of the 20 best in common\n`)
  return seen >= LEAST_CORRELATION
}

async function onnxLogits(model, ids) {
  const ort = createRequire(import.meta.url)('onnxruntime-node')
  const { layers, heads, headDim, vocab } = readConfig(model)
  const session = await ort.InferenceSession.create(model.onnx)
  const feeds = {
    input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]),
    attention_mask: new ort.Tensor('int64', new BigInt64Array(ids.length).fill(1n), [1, ids.length]),
  }
  for (let layer = 0; layer < layers; layer++) {
    for (const part of ['key', 'value']) {
      const none = new ort.Tensor('float32', new Float32Array(0), [1, heads, 0, headDim])
      feeds[`past_key_values.${layer}.${part}`] = none
    }
  }
  const { logits } = await session.run(feeds, ['logits'])
  return logits.data.slice((ids.length - 1) * vocab)
}

/** Log-probabilities by id: logits up to a constant, which correlation does not see. */
async function ggufLogits(model, ids) {
  const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error' })
  const network = await llama.loadModel({ modelPath: model.gguf })
  const context = await network.createContext({ contextSize: 768, flashAttention: true })
  const last = ids.length - 1
  const ask = { generateNext: { probabilities: true, options: { temperature: 0 } } }
  const input = ids.map((id, i) => (i === last ? [id, ask] : id))
  const results = await context.getSequence().controlledEvaluate(input)
  const row = new Float64Array(results[last].next.probabilities.size)
  for (const [id, probability] of results[last].next.probabilities) row[id] = Math.log(probability)
  await llama.dispose()
  return row
}

function correlation(a, b) {
  let [n, sumA, sumB, sumAA, sumBB, sumAB] = [0, 0, 0, 0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    if (!Number.isFinite(b[i])) continue // too unlikely for a float
    n++
    sumA += a[i]
    sumB += b[i]
    sumAA += a[i] * a[i]
    sumBB += b[i] * b[i]
    sumAB += a[i] * b[i]
  }
  return (n * sumAB - sumA * sumB) / Math.sqrt((n * sumAA - sumA ** 2) * (n * sumBB - sumB ** 2))
}

function top(row, count) {
  const ids = Array.from(row, (_, id) => id)
  return ids.sort((a, b) => row[b] - row[a]).slice(0, count)
}

const shapes = ['smollm2-135m', 'qwen2.5-0.5b'].map((shape) => `${import.meta.dirname}/.models/${shape}`)
const folders = process.argv.length > 2 ? process.argv.slice(2) : shapes
for (const folder of folders) if (!(await check(folder))) process.exitCode = 1
