/**
 * llama.cpp through node-llama-cpp: the same weights as q4_0, prebuilt CPU binary, flash attention on, fp16 KV cache (its
 * default), the same threads. `evaluate()` is its raw token loop: greedy, no text. Logits of the last position only.
 */
import { getLlama, getModuleVersion } from 'node-llama-cpp'

const GREEDY = { temperature: 0, yieldEogToken: true }

export async function load({ model, threads, capacity }) {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    logLevel: 'error',
    maxThreads: threads,
  })
  const network = await llama.loadModel({ modelPath: model.gguf })
  const context = await network.createContext({
    contextSize: capacity,
    batchSize: 512,
    flashAttention: true,
    threads: { ideal: threads, min: threads },
  })
  const sequence = context.getSequence()
  let promptLength = 0
  let firstId = 0

  /** Evaluates `ids` and then its own choices, `count` in all. */
  async function evaluate(ids, count) {
    const chosen = []
    for await (const id of sequence.evaluate(ids, GREEDY)) {
      chosen.push(id)
      if (chosen.length === count) break
    }
    return chosen
  }

  return {
    versions: { 'node-llama-cpp': await getModuleVersion(), 'llama.cpp': llama.llamaCppRelease.release },
    async prefill(ids) {
      await sequence.clearHistory()
      ;[firstId] = await evaluate(ids, 1)
      promptLength = ids.length
    },
    async rewind() {
      const end = sequence.nextTokenIndex
      if (end > promptLength) await sequence.eraseContextTokenRanges([{ start: promptLength, end }])
    },
    async decode(count) {
      return [firstId, ...(await evaluate([firstId], count))]
    },
    dispose: () => llama.dispose(),
  }
}
