/**
 * transformers.js: `generate()`, greedy, end tokens ignored, without a streamer. A decode sample goes on from the cache that
 * the prefill returned, so a sample is generate() itself and not a prompt again.
 */
import { createRequire } from 'node:module'
import { basename, dirname } from 'node:path'

export async function load({ model, threads }) {
  const { AutoModelForCausalLM, AutoTokenizer, DynamicCache, Tensor, env } = await import(
    '@huggingface/transformers'
  )
  env.allowRemoteModels = false
  env.localModelPath = dirname(model.folder)
  const name = basename(model.folder)
  const [network, tokenizer] = await Promise.all([
    AutoModelForCausalLM.from_pretrained(name, {
      dtype: 'q4',
      device: 'cpu',
      local_files_only: true,
      session_options: { intraOpNumThreads: threads },
    }),
    AutoTokenizer.from_pretrained(name, { local_files_only: true }),
  ])
  const require = createRequire(import.meta.url)
  let prompt = { ids: [], cache: undefined }

  const generate = (ids, count, cache) => {
    const dims = [1, ids.length]
    return network.generate({
      inputs: new Tensor('int64', BigInt64Array.from(ids, BigInt), dims),
      attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), dims),
      max_new_tokens: count,
      do_sample: false,
      eos_token_id: null,
      return_dict_in_generate: true,
      ...(cache && { past_key_values: new DynamicCache({ ...cache }) }),
    })
  }
  const newIds = (sequences, from) => Array.from(sequences.data.slice(from), Number)

  return {
    tokenizer, // unused, but a program that prints text holds it: load time and memory count it
    versions: {
      '@huggingface/transformers': env.version,
      'onnxruntime-node': require('onnxruntime-node/package.json').version,
    },
    async prefill(ids) {
      const { sequences, past_key_values } = await generate(ids, 1)
      prompt = { ids: newIds(sequences, 0), cache: past_key_values }
    },
    async decode(count) {
      const { sequences } = await generate(prompt.ids, count, prompt.cache)
      return newIds(sequences, prompt.ids.length - 1)
    },
    dispose: () => network.dispose(),
  }
}
