/**
 * What choosing a token costs, in milliseconds and in bytes:
 *
 *   npm run build
 *   node --expose-gc --min-semi-space-size=64 --max-semi-space-size=64 test/bench/sampling.mjs
 *
 * `--heap` leaves the times out, `--json` prints figures instead of tables, `--modules <folder>` names another build.
 *
 * Times are of `sample` alone on made-up logits of 151,936 ids (a normal distribution and a dozen likely ids), all
 * chains taking turns after a warm-up. Bytes are what the heap grows by per token once V8 has compiled everything: over
 * so many tokens that its own housekeeping (some 100 KB) does not hide a single number per token (16 bytes), and with
 * room for so many objects that no collection falls into the count.
 */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    heap: { type: 'boolean' },
    modules: { type: 'string', default: 'dist' },
  },
})
const load = (name) => import(pathToFileURL(resolve(flags.modules, 'sampling', name)).href)
const { createSampler } = await load('sampler.js')
const { Penalties } = await load('penalties.js')
const { Generator } = await load('rng.js')

const TIMED_VOCABULARY = 151_936
const ROWS = 8
const WARM_UP = 100
const ROUNDS = 300

const penalized = { repetitionPenalty: 1.1, presencePenalty: 0.3, frequencyPenalty: 0.1 }
const chains = {
  greedy: {},
  'temperature, top-k 20, top-p 0.95, min-p 0.05': { temperature: 0.7, topK: 20, topP: 0.95, minP: 0.05 },
  'temperature, top-k 1,000': { temperature: 0.7, topK: 1000 },
  'temperature, min-p 0.05': { temperature: 0.7, minP: 0.05 },
  'temperature, top-p 0.95': { temperature: 0.7, topP: 0.95 },
  'temperature alone': { temperature: 0.7 },
  'temperature, typical-p 0.95': { temperature: 0.7, typicalP: 0.95 },
  'every step, window of 1,024 ids': {
    temperature: 0.8,
    topK: 50,
    topP: 0.95,
    minP: 0.01,
    typicalP: 0.95,
    epsilon: 1e-4,
    eta: 1e-4,
    ...penalized,
    repeatLastN: 1024,
    noRepeatNgramSize: 6,
    logitBias: new Map([[4, 1]]),
    bannedIds: [7],
    bannedSequences: [[1, 2]],
    minNewTokens: 4,
  },
}

const report = flags.heap
  ? { bytes: bytesPerToken() }
  : { milliseconds: timeChains(), bytes: bytesPerToken() }
if (flags.json) console.log(JSON.stringify(report))
else printTables(report)

function timeChains() {
  const rows = Array.from({ length: ROWS }, (_, i) => makeRow(TIMED_VOCABULARY, BigInt(i)))
  const work = new Float32Array(TIMED_VOCABULARY)
  const steps = Object.entries(chains).map(([name, options]) => {
    const sampler = openSampler(options, TIMED_VOCABULARY)
    return { name, run: () => sampler.sample(work), times: [] }
  })
  const penalties = new Penalties({ ...penalized, repeatLastN: -1 }, TIMED_VOCABULARY)
  for (let i = 0; i < 1024; i++) penalties.accept(i * 148, i % 2 === 0)
  steps.push({ name: 'the penalties alone, 1,024 ids seen', run: () => penalties.process(work), times: [] })
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    for (const { run, times } of steps) {
      work.set(rows[round % ROWS])
      const start = performance.now()
      run()
      const time = performance.now() - start
      if (round >= WARM_UP) times.push(time)
    }
  }
  return Object.fromEntries(steps.map(({ name, times }) => [name, summarize(times)]))
}

function summarize(times) {
  times.sort((a, b) => a - b)
  const at = (share) => times[Math.floor(share * (times.length - 1))]
  return { least: at(0), median: at(0.5), p90: at(0.9) }
}

/** The least of up to five rounds: the engine's own work may add to a round, and nothing takes away. */
function bytesPerToken() {
  if (!globalThis.gc || !process.execArgv.some((flag) => flag.startsWith('--min-semi-space-size'))) {
    throw new Error('counting bytes needs the flags of node that this file names at its top')
  }
  return Object.fromEntries(Object.entries(chains).map(([name, options]) => [name, leastGrowth(options)]))
}

function leastGrowth(options) {
  const row = makeRow(64, 1n)
  const work = new Float32Array(row.length)
  const sampler = openSampler(options, row.length)
  // A context that n-grams are looked for in makes every token slower than the last.
  const tokens = options.noRepeatNgramSize ? 20_000 : 200_000
  const run = (count) => {
    for (let i = 0; i < count; i++) {
      work.set(row)
      sampler.sample(work)
    }
  }
  // A collection drops compiled code with the objects it knew: warm up after it, then measure.
  const growth = () => {
    globalThis.gc()
    run(30_000)
    const before = process.memoryUsage().heapUsed
    run(tokens)
    return (process.memoryUsage().heapUsed - before) / tokens
  }
  let least = growth()
  for (let round = 1; round < 5 && least > 1; round++) least = Math.min(least, growth())
  return least
}

function openSampler(options, vocabSize) {
  return createSampler({ seed: 1n, ...options }, { vocabSize, stopTokenIds: [2], contextLength: 100_000 })
}

function makeRow(length, seed) {
  const generator = new Generator(seed)
  const uniform = () => {
    generator.flip()
    return generator.coin
  }
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
  const row = Float32Array.from({ length }, () => 3 * normal())
  for (let i = 0; i < 12; i++) row[Math.floor(uniform() * length)] = 12 + uniform() * 6
  return row
}

function printTables({ milliseconds, bytes }) {
  if (milliseconds) {
    console.log('| step | least ms | median ms | 90 % within ms |\n| --- | --: | --: | --: |')
    for (const [name, { least, median, p90 }] of Object.entries(milliseconds)) {
      console.log(`| ${[name, ...[least, median, p90].map((ms) => ms.toFixed(3))].join(' | ')} |`)
    }
  }
  console.log('\n| step | bytes per token |\n| --- | --: |')
  for (const [name, count] of Object.entries(bytes)) console.log(`| ${name} | ${count.toFixed(1)} |`)
}
