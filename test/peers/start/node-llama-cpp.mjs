/**
 * The shortest honest program on node-llama-cpp: loads a model, encodes a prompt, prints the first token.
 *     node node-llama-cpp.mjs MODEL.gguf THREADS PROMPT
 */
import { getLlama } from 'node-llama-cpp'

const [modelPath, threads, prompt] = process.argv.slice(2)
const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  logLevel: 'error',
  maxThreads: Number(threads),
})
const model = await llama.loadModel({ modelPath })
const context = await model.createContext({
  contextSize: 512,
  flashAttention: true,
  threads: { ideal: Number(threads), min: Number(threads) },
})
const sequence = context.getSequence()
for await (const token of sequence.evaluate(model.tokenize(prompt), {
  temperature: 0,
  yieldEogToken: true,
})) {
  process.stdout.write(model.detokenize([token]) || ' ')
  break
}
await llama.dispose()
