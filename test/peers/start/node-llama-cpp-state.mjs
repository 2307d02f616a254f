/**
 * A question about a document on node-llama-cpp, whose state after the document is kept in a file: made where there is none, else
 * loaded. Prints the first token.
 *     node node-llama-cpp-state.mjs MODEL.gguf THREADS DOCUMENT QUESTION STATE
 */
import { existsSync, readFileSync } from 'node:fs'
import { getLlama } from 'node-llama-cpp'

const [modelPath, threads, document, question, state] = process.argv.slice(2)
const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  logLevel: 'error',
  maxThreads: Number(threads),
})
const model = await llama.loadModel({ modelPath })
const context = await model.createContext({
  contextSize: 4096,
  batchSize: 512,
  flashAttention: true,
  threads: { ideal: Number(threads), min: Number(threads) },
})
const sequence = context.getSequence()
const begin = model.tokenize(readFileSync(document, 'utf8'))
const isThere = existsSync(state)
if (isThere) await sequence.loadStateFromFile(state, { acceptRisk: true })
else await sequence.evaluateWithoutGeneratingNewTokens(begin)
const end = model.tokenize(`\n\n${question}`)
if (!isThere) await sequence.saveStateToFile(state)
for await (const token of sequence.evaluate(end, { temperature: 0, yieldEogToken: true })) {
  process.stdout.write(model.detokenize([token]) || ' ')
  break
}
await llama.dispose()
