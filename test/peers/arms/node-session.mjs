/**
 * The plain loop over onnxruntime-node that anyone would write: session.run, and every present tensor handed back as the next
 * past. The whole prompt is one run up to 1,024 tokens; longer ones go in chunks, since logits of every position would not fit.
 */
import { createRequire } from 'node:module'
import { argmax, readConfig } from './model-files.mjs'

const WHOLE = 1024
const CHUNK = 512

export async function load({ model, threads }) {
  const require = createRequire(import.meta.url)
  const ort = require('onnxruntime-node')
  const { layers, heads, headDim, vocab } = readConfig(model)
  const session = await ort.InferenceSession.create(model.onnx, { intraOpNumThreads: threads })
  const int64 = (values, dims) => new ort.Tensor('int64', values, dims)

  function emptyPast() {
    const past = {}
    for (let layer = 0; layer < layers; layer++) {
      for (const part of ['key', 'value']) {
        const name = `past_key_values.${layer}.${part}`
        past[name] = new ort.Tensor('float32', new Float32Array(0), [1, heads, 0, headDim])
      }
    }
    return past
  }

  /** One run after `past`; returns the next past and the greedy id. */
  async function step(ids, past, total) {
    const input_ids = int64(BigInt64Array.from(ids, BigInt), [1, ids.length])
    const attention_mask = int64(new BigInt64Array(total).fill(1n), [1, total])
    const outputs = await session.run({ input_ids, attention_mask, ...past })
    const next = {}
    for (const name in outputs) {
      if (name !== 'logits') next[name.replace('present', 'past_key_values')] = outputs[name]
    }
    return { past: next, id: argmax(outputs.logits.data.subarray((ids.length - 1) * vocab)) }
  }

  let prompt = { past: emptyPast(), id: 0, length: 0 }

  return {
    versions: { 'onnxruntime-node': require('onnxruntime-node/package.json').version },
    async prefill(ids) {
      const size = ids.length <= WHOLE ? ids.length : CHUNK
      let state = { past: emptyPast() }
      for (let start = 0; start < ids.length; start += size) {
        const chunk = ids.slice(start, start + size)
        state = await step(chunk, state.past, start + chunk.length)
      }
      prompt = { ...state, length: ids.length }
    },
    async decode(count) {
      let { past, id } = prompt
      const ids = [id]
      for (let i = 1; i <= count; i++) {
        ;({ past, id } = await step([id], past, prompt.length + i))
        ids.push(id)
      }
      return ids
    },
    dispose: () => session.release(),
  }
}
