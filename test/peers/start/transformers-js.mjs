/**
 * The shortest honest program on transformers.js: loads a model, encodes a prompt, prints the first token.
 *     node transformers-js.mjs FOLDER THREADS PROMPT
 */
import { basename, dirname } from 'node:path'
import { AutoModelForCausalLM, AutoTokenizer, env } from '@huggingface/transformers'

const [folder, threads, prompt] = process.argv.slice(2)
env.allowRemoteModels = false
env.localModelPath = dirname(folder)
const local = { local_files_only: true }
const [model, tokenizer] = await Promise.all([
  AutoModelForCausalLM.from_pretrained(basename(folder), {
    ...local,
    dtype: 'q4',
    device: 'cpu',
    session_options: { intraOpNumThreads: Number(threads) },
  }),
  AutoTokenizer.from_pretrained(basename(folder), local),
])
const inputs = tokenizer(prompt)
const ids = await model.generate({ ...inputs, max_new_tokens: 1, do_sample: false, eos_token_id: null })
const [written] = tokenizer.batch_decode(ids.slice(null, [inputs.input_ids.dims[1], null]))
process.stdout.write(written || ' ')
await model.dispose()
