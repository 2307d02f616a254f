#!/usr/bin/env node
/**
 * What a step costs by the number of its rows: t(k), k texts of 100 tokens each decoding one token, with and without sampling.
 *
 * On a machine that is not quiet, `--threads 1` and the fastest tell most.
 *
 *   node test/peers/rows.mjs MODEL_FOLDER [--threads 2] [--steps 24] [--k 1,2,4,8,16,32]
 *
 * The median and the fastest of the steps of each k, which take turns so that a slow moment of the machine meets all of them; `npm run build` first.
 */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { loadSession } from '../../dist/backend/onnx/load-session.js'
import { OnnxBackend } from '../../dist/backend/onnx/onnx-backend.js'
import { loadModelConfig } from '../../dist/model/model-config.js'
import { openCApiRuntime } from '../../dist/onnx-runtime/c-session.js'
import { createSampler } from '../../dist/sampling/sampler.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '2' },
    steps: { type: 'string', default: '24' },
    k: { type: 'string', default: '1,2,3,4,6,8,12,16,24,32' },
    past: { type: 'string', default: '100' },
  },
})
const folder = resolve(positionals[0])
const config = loadModelConfig(folder)
const options = { threads: Number(values.threads), spinning: true }
const loaded = await loadSession(openCApiRuntime(), join(folder, 'onnx/model_q4.onnx'), config, options)
const { runner } = new OnnxBackend(loaded, { vocabSize: 0 }, config)
const ks = values.k.split(',').map(Number)
const most = Math.max(...ks)
const { vocabSize, contextLength } = runner.facts

const texts = Array.from({ length: most }, () => runner.pool.open())
for (const [n, sequence] of texts.entries()) {
  const ids = Int32Array.from({ length: Number(values.past) }, (_, i) => (i * 37 + n * 101 + 11) % vocabSize)
  await runner.run([{ sequence, ids, wanted: 0 }])
}
const WAYS = {
  greedy: { temperature: 0 },
  'top-k 50': { temperature: 0.8, topK: 50, seed: 1n },
  'top-p 0.9': { temperature: 0.8, topP: 0.9, seed: 1n },
}
const limits = { vocabSize, contextLength, stopTokenIds: new Set() }
const samplers = Object.fromEntries(
  Object.entries(WAYS).map(([name, way]) => [name, createSampler(way, limits)]),
)

const times = new Map(ks.map((k) => [k, []]))
const sampled = Object.fromEntries(Object.keys(WAYS).map((name) => [name, []]))
for (let step = 0; step < Number(values.steps) + 2; step++) {
  for (const k of ks) {
    const batch = texts.slice(0, k).map((sequence, i) => {
      return { sequence, ids: Int32Array.of((step * 7 + i * 13) % vocabSize), wanted: 1 }
    })
    await timed(k, batch, step)
    for (const { sequence } of batch) sequence.trim(Number(values.past))
  }
}

/** Twice: the first run after another k binds its sizes. */
async function timed(k, batch, step) {
  await runner.run(batch)
  for (const { sequence } of batch) sequence.trim(Number(values.past))
  const started = performance.now()
  const rows = await runner.run(batch)
  if (step >= 2) times.get(k).push(performance.now() - started)
  if (k !== ks[0]) return
  for (const [name, sampler] of Object.entries(samplers)) {
    const row = rows.row(0).slice()
    const before = performance.now()
    sampler.sample(row)
    if (step >= 2) sampled[name].push(performance.now() - before)
  }
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1]
const least = (list) => Math.min(...list)
const [one, fastest] = [median, least].map((of) => of(times.get(ks[0])) / ks[0])
console.log(`${folder}, ${options.threads} threads, kernels ${loaded.runs.kernels.isa}`)
for (const k of ks) {
  const figures = [
    [median, one],
    [least, fastest],
  ].map(([of, single]) => {
    const ms = of(times.get(k))
    return `${ms.toFixed(2).padStart(7)} ms ${((k * 1000) / ms).toFixed(0).padStart(4)} tokens/s ${((k * single) / ms).toFixed(2)} ×`
  })
  console.log(`k ${String(k).padStart(2)}  median ${figures[0]}   fastest ${figures[1]}`)
}
for (const [name, list] of Object.entries(sampled))
  console.log(`sampling a row, ${name}: ${median(list).toFixed(3)} ms`)
for (const sequence of texts) sequence.dispose()
await runner.dispose()
