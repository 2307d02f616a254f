#!/usr/bin/env node
/**
 * Many texts at once beside node-llama-cpp, in one run: prompts of 100 ids, drawn answers, so many of them at a time. After a build:
 *
 *     node test/peers/batch.mjs MODEL_FOLDER [--widths 1,8,16] [--prompts 64] [--alone 16] [--tokens 64] [--rounds 3]
 *                               [--arms spout,spout#avx2,node-llama-cpp] [--threads 2]
 *
 * Each measure is run twice, with few and with more tokens an answer: the difference is what decoding takes, sampling included. The
 * arms take turns, each in a process of its own. Prints tokens a second, each width beside one at a time, and spout beside the peer.
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startArm } from './arm-client.mjs'
import { loadAverage, machine } from './environment.mjs'
import { makeRandom, shuffled } from './schedule.mjs'
import { median } from './statistics.mjs'

const SCRIPT = fileURLToPath(new URL('batch-arm.mjs', import.meta.url))
const PEER = 'node-llama-cpp'
const FEW = 4

const string = { type: 'string' }
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ widths: string, prompts: string, alone: string, tokens: string, rounds: string },
    ...{ arms: string, threads: string, length: string },
  },
})
const folder = resolve(positionals[0])
const numbers = (text) => text.split(',').map(Number)
const widths = numbers(values.widths ?? '1,8,16')
const [prompts, alone, tokens, rounds, threads, length] = [
  ...[values.prompts ?? 64, values.alone ?? 16, values.tokens ?? 64],
  ...[values.rounds ?? 3, values.threads ?? 2, values.length ?? 100],
].map(Number)
const labels = (values.arms ?? `spout,spout#avx2,${PEER}`).split(',')
const random = makeRandom(1)
const before = loadAverage()

const arms = labels.map((label) => startArm(label, SCRIPT))
try {
  for (const arm of arms) Object.assign(arm, await arm.call('load', { folder, threads }))
  const rates = await measure()
  print(rates)
} finally {
  await Promise.all(arms.map((arm) => arm.stop()))
}

/** Tokens a second by arm and width, one of each round. */
async function measure() {
  const rates = new Map(labels.map((label) => [label, new Map(widths.map((width) => [width, []]))]))
  for (const arm of arms) await timed(arm, { width: widths.at(-1), count: widths.at(-1), seed: 0, more: FEW })
  for (let round = 1; round <= rounds; round++) {
    for (const width of shuffled(widths, random)) {
      for (const arm of shuffled(arms, random)) {
        const count = width === 1 ? alone : prompts
        const few = await timed(arm, { width, count, seed: 2 * round, more: 0 })
        const all = await timed(arm, { width, count, seed: 2 * round + 1, more: tokens })
        rates
          .get(arm.label)
          .get(width)
          .push((1000 * count * tokens) / (all - few))
      }
    }
  }
  return rates
}

async function timed(arm, { width, count, seed, more }) {
  return (await arm.call('run', { width, count, length, tokens: FEW + more, seed })).ms
}

function print(rates) {
  const { cpu, cpus, node, commit } = machine()
  console.log(
    `${cpu}, ${cpus} CPUs, Node ${node}, commit ${commit}, ${threads} threads, load ${before.join(' ')}`,
  )
  console.log(
    `${prompts} prompts of ${length} ids (${alone} alone), ${tokens} drawn tokens each, ${rounds} rounds\n`,
  )
  const versions = Object.assign({}, ...arms.map((arm) => arm.versions))
  for (const { label, runs } of arms)
    if (runs) console.log(`${label}: kernels ${runs.isa ?? 'of ONNX Runtime'}`)
  for (const [name, version] of Object.entries(versions)) console.log(`${name} ${version}`)
  console.log(`\n| arm | at once | tokens/s | beside one at a time | beside ${PEER} |`)
  console.log('| --- | ---: | ---: | ---: | ---: |')
  for (const label of labels) for (const width of widths) console.log(row(rates, label, width))
}

/** Ratios are medians of those of each round. */
function row(rates, label, width) {
  const own = rates.get(label).get(width)
  const beside = (other) =>
    other === undefined || other === own
      ? '–'
      : median(own.map((rate, round) => rate / other[round])).toFixed(2)
  const range = `${median(own).toFixed(0)} (${Math.min(...own).toFixed(0)}–${Math.max(...own).toFixed(0)})`
  return `| ${label} | ${width} | ${range} | ${beside(rates.get(label).get(1))} | ${beside(rates.get(PEER)?.get(width))} |`
}
