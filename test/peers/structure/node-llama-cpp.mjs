/**
 * The shortest honest program on node-llama-cpp that answers in JSON: loads a model, encodes a prompt, prints the first token.
 *     node node-llama-cpp.mjs MODEL.gguf THREADS PROMPT [SCHEMA.json]
 */
import { readFileSync } from 'node:fs'
import { getLlama, LlamaGrammarEvaluationState } from 'node-llama-cpp'

const [modelPath, threads, prompt, schema] = process.argv.slice(2)
const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  logLevel: 'error',
  maxThreads: Number(threads),
})
const model = await llama.loadModel({ modelPath })
const context = await model.createContext({
  contextSize: 1024,
  flashAttention: true,
  threads: { ideal: Number(threads), min: Number(threads) },
})
const grammar =
  schema === undefined
    ? undefined
    : await llama.createGrammarForJsonSchema(JSON.parse(readFileSync(schema, 'utf8')))
const options = {
  temperature: 0,
  yieldEogToken: true,
  ...(grammar && { grammarEvaluationState: new LlamaGrammarEvaluationState({ model, grammar }) }),
}
for await (const token of context.getSequence().evaluate(model.tokenize(prompt), options)) {
  process.stdout.write(model.detokenize([token]) || ' ')
  break
}
