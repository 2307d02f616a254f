/**
 * spout as its library gives it (dist/index.js): backend, token loop, sampler and output stream, with prompts given as ids.
 * Prepared, as from the second run on; the variant `unprepared` runs the files as they are, as the first run does.
 * Every id is sampled, decoded and handed to a sink as text.
 *
 * The variants `avx-vnni`, `avx2` and `none` limit the instruction set of the kernels; with `none` they are ONNX Runtime's.
 *
 * The plain arm is greedy, so its ids can be compared; the variant `sampling` draws with temperature, top-k, top-p and min-p.
 *
 * The contract of every arm: `load({ model, threads, capacity, variant })` gives
 *   versions            name → version, of what runs
 *   prefill(ids)        empties the cache, runs the prompt, chooses the first id
 *   rewind()            optional, before each decode and not timed: back to right after that prompt
 *   decode(count)       from right after that prompt, each time anew: `count` one-token steps; gives count + 1 ids, the
 *                       first being the prefill's choice
 *   dispose()
 * `capacity` is the most tokens a cache must hold, for arms that reserve it.
 */
import { existsSync, readFileSync } from 'node:fs'

const ROOT = new URL('../../../', import.meta.url)
const DOOR = new URL('dist/index.js', ROOT)
const ISAS = ['avx512-vnni', 'avx-vnni', 'avx2', 'none']
const SAMPLING = {
  greedy: { temperature: 0 },
  sampling: { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05, seed: 1n },
}

export async function load({ model, threads, variant = 'greedy' }) {
  if (!existsSync(DOOR)) throw new Error('dist/ is missing: npm run build')
  // Before the kernels are chosen.
  if (ISAS.includes(variant)) process.env.SPOUT_ISA = variant
  const { openBackend, generate, createSampler } = await import(DOOR.href)
  const options = {
    model: model.folder,
    dtype: 'q4',
    runtime: 'c-api',
    threads,
    offline: true,
    prepare: variant !== 'unprepared',
  }
  const { backend } = await openBackend(options)
  const cache = backend.createCache()
  let promptLength = 0
  let firstId = 0
  const pieces = []
  const sink = {
    token(_id, piece) {
      pieces.push(piece)
    },
    lastPiece(piece) {
      pieces.push(piece)
    },
  }

  /** The product's token loop over `ids`, up to `count` new ids. */
  async function run(ids, count) {
    pieces.length = 0
    const { tokenIds } = await generate({
      backend,
      cache,
      promptIds: Int32Array.from(ids),
      sampler: createSampler(SAMPLING[variant] ?? SAMPLING.greedy, backend),
      sink,
      maxTokens: count,
      ignoreEos: true,
      continuation: true,
    })
    return tokenIds
  }

  return {
    versions: { spout: JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')).version },
    async prefill(ids) {
      cache.trim(0)
      ;[firstId] = await run(ids, 1)
      promptLength = ids.length
    },
    async rewind() {
      cache.trim(promptLength)
    },
    async decode(count) {
      return [firstId, ...(await run([firstId], count))]
    },
    async dispose() {
      cache.dispose()
      await backend.dispose()
    },
  }
}
