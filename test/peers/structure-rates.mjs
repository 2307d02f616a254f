#!/usr/bin/env node
/**
 * Tokens per second of structured answers beside the same tokens without a structure: a record of numbers and enums, and prose in
 * JSON; forced tokens run ahead (`auto`) and not (`off`). By turns in one process, after a build:
 *     node test/peers/structure-rates.mjs --model FOLDER [--rounds 7] [--threads 2] [--isa avx2]
 * The answers are scripted (scripted.mjs), as the tokenizer writes them. A rate is over the tokens after the first.
 */
import os from 'node:os'
import { parseArgs } from 'node:util'
import { loadAverage, machine } from './environment.mjs'
import { makeRandom, shuffled } from './schedule.mjs'
import { scriptedBackend } from './scripted.mjs'
import { median } from './statistics.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: String(os.availableParallelism()) },
    isa: { type: 'string' },
  },
})
if (values.isa !== undefined) process.env.SPOUT_ISA = values.isa
const { makeRequest, openBackend } = await import('../../dist/index.js')
const { createLocalEngine } = await import('../../dist/engine/local-engine.js')

const number = { type: 'integer', minimum: 0, maximum: 9999 }
const record = (fields) => ({
  ...{ type: 'object', properties: fields, required: Object.keys(fields), additionalProperties: false },
})
const short = { type: 'string', minLength: 10, maxLength: 80 }
const long = { type: 'string', maxLength: 1200 }
const CASES = {
  'record of numbers and enums': {
    schema: record({
      identifier: number,
      temperature_celsius: { type: 'integer', minimum: -40, maximum: 60 },
      humidity_percent: { type: 'integer', minimum: 0, maximum: 100 },
      quality: { enum: ['excellent', 'acceptable', 'unacceptable'] },
      is_approved: { type: 'boolean' },
      measurement_unit: { enum: ['kilometres', 'metres', 'millimetres'] },
      number_of_observations: number,
      observed_direction: { enum: ['north', 'east', 'south', 'west'] },
      confidence_percent: { type: 'integer', minimum: 0, maximum: 100 },
      needs_another_visit: { type: 'boolean' },
    }),
    answer:
      '{"identifier":4711,"temperature_celsius":-12,"humidity_percent":88,"quality":"acceptable","is_approved":true,' +
      '"measurement_unit":"millimetres","number_of_observations":230,"observed_direction":"north","confidence_percent":75,' +
      '"needs_another_visit":false}',
  },
  'prose in JSON': {
    schema: record({ title: short, body: long }),
    answer: JSON.stringify({
      title: 'A week at the station on the hill',
      body:
        'On Monday the wind came from the north, and the snow that had lain on the roof for days began to slide. Nobody went out ' +
        'before noon. The instruments were read twice: once at nine, when the glass showed less than we had hoped for, and once ' +
        'more at four, after the clouds had opened for a quarter of an hour over the valley. Martha wrote everything down, as she ' +
        'always does, in the thin blue book; "read it back to me," she said, and I did. By the evening the road was closed. We ' +
        'cooked what was left of the beans, counted the candles, and agreed that tomorrow somebody would have to walk down to the ' +
        'village and ask for the parcel which ought to have come a week ago.',
    }),
  },
}
const PROMPT = 'The observations of this week, as they were written down at the station on the hill.'

const { backend: own, model } = await openBackend({
  ...{ model: values.model, offline: true, threads: Number(values.threads) },
})
const script = { prompt: 0, answer: [] }
const backend = scriptedBackend(own, script)
const engine = createLocalEngine({ model, backend, defaults: {}, promptCache: false, note() {} })
const encode = (text) => backend.tokenizer.encode(text, { addSpecialTokens: false })
const prompt = Int32Array.from(encode(PROMPT))
const before = loadAverage()
const random = makeRandom(1)
const rows = []
for (const [name, schema] of Object.entries(CASES)) rows.push(await measure(name, schema))
report()
await engine.dispose()

/** What was chosen, and milliseconds from the first to the last. */
async function write({ structure, maxTokens }) {
  let [first, last] = [0, 0]
  const sink = {
    token() {
      last = performance.now()
      first ||= last
    },
    lastPiece() {},
  }
  const request = makeRequest({
    ...{ prompt: PROMPT, raw: true, sampling: { temperature: 0 }, maxTokens, drafts: 'off' },
    ...(structure === undefined ? { ignoreEos: true } : { structure }),
  })
  const encoded = { ids: prompt, rendered: undefined, notes: [] }
  const { tokenIds, structure: counts } = await engine.generate(request, { sink, encoded })
  return { ids: tokenIds, ms: last - first, counts }
}

async function measure(name, { schema, answer }) {
  const ids = Array.from(encode(answer))
  Object.assign(script, { prompt: prompt.length, answer: ids })
  const of = { kind: 'schema', schema }
  const count = ids.length
  const arms = {
    free: () => write({ maxTokens: count }),
    off: () => write({ structure: { of, jump: 'off' }, maxTokens: count }),
    auto: () => write({ structure: { of, jump: 'auto' }, maxTokens: count }),
  }
  const rates = { free: [], off: [], auto: [] }
  let counts
  for (let round = -2; round < Number(values.rounds); round++) {
    for (const arm of shuffled(Object.keys(arms), random)) {
      const { ids: chosen, ms, counts: forced } = await arms[arm]()
      if (chosen.join() !== ids.join()) throw new Error(`${name}, ${arm}: other ids`)
      if (arm === 'auto') counts = forced
      if (round >= 0) rates[arm].push((1000 * (count - 1)) / ms)
    }
    process.stderr.write(`${name}: round ${round + 1} of ${values.rounds}\n`)
  }
  return { name, count, counts, rates }
}

function report() {
  const { cpu } = machine()
  const { kernels } = engine.model.runs
  console.log(
    `${cpu}, ${kernels?.isa}; Node ${process.version}; ${values.threads} threads; load ${before} before, ${loadAverage()} after\n`,
  )
  console.log(
    '| | tokens | forced | run ahead, in vain | free, tok/s | off | auto | off / free | auto / free |',
  )
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |')
  for (const { name, count, counts, rates } of rows) {
    const ratio = (arm) => median(rates[arm].map((rate, i) => rate / rates.free[i])).toFixed(2)
    const rate = (arm) => median(rates[arm]).toFixed(1)
    const { forced, drafted, rejected } = counts
    console.log(
      `| ${name} | ${count} | ${forced} | ${drafted}, ${rejected} | ${rate('free')} | ${rate('off')} | ${rate('auto')} | ${ratio('off')} | ${ratio('auto')} |`,
    )
  }
}
