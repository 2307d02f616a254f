#!/usr/bin/env node
/**
 * What guesses are worth: texts that repeat their input, and texts that do not, written with and without drafts by turns, beside
 * node-llama-cpp's lookup in the input. After a build:
 *
 *     node test/peers/drafts.mjs MODEL_FOLDER --text FILE [--rounds 5] [--tokens 192] [--threads 2] [--arms spout,node-llama-cpp]
 *
 * The text of a case is scripted over real steps (drafts-arm.mjs). `copy` and `edit`: every 32nd id is another than in the input, of
 * which `edit` is told by --expect. `prose` goes on as the file does; `random` repeats nothing.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startArm } from './arm-client.mjs'
import { loadAverage, machine } from './environment.mjs'
import { makeRandom, shuffled } from './schedule.mjs'
import { median } from './statistics.mjs'

const SCRIPT = fileURLToPath(new URL('drafts-arm.mjs', import.meta.url))
const EVERY = 32

const string = { type: 'string' }
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { text: string, rounds: string, tokens: string, threads: string, arms: string },
})
const [rounds, tokens, threads] = [values.rounds ?? 5, values.tokens ?? 192, values.threads ?? 2].map(Number)
const labels = (values.arms ?? 'spout,node-llama-cpp').split(',')
const random = makeRandom(1)
const before = loadAverage()
const arms = labels.map((label) => startArm(label, SCRIPT))
try {
  for (const arm of arms)
    Object.assign(arm, await arm.call('load', { folder: resolve(positionals[0]), threads }))
  const text = readFileSync(values.text, 'utf8').slice(0, 16 * tokens)
  const cases = await makeCases(
    arms.find(({ label }) => label.startsWith('spout')),
    text,
  )
  print(cases, await measure(cases))
} finally {
  await Promise.all(arms.map((arm) => arm.stop()))
}

/** @returns cases by name: ids of prompt and answer, and the text that is expected */
async function makeCases(spout, text) {
  const { ids } = await spout.call('encode', { text })
  const passage = ids.slice(0, tokens)
  const changed = passage.map((id, i) => (i % EVERY === EVERY - 1 ? 1000 + ((id * 31) % 5000) : id))
  const unlike = Array.from({ length: tokens }, () => 1000 + Math.floor(random() * 40_000))
  return {
    copy: { prompt: passage, answer: changed },
    edit: { prompt: ids.slice(3 * tokens, 3 * tokens + 32), answer: changed, passage },
    prose: { prompt: passage, answer: ids.slice(tokens, 2 * tokens) },
    random: { prompt: passage, answer: unlike },
  }
}

async function measure(cases) {
  const rates = {}
  for (let round = 0; round <= rounds; round++) {
    for (const name of shuffled(Object.keys(cases), random)) {
      for (const arm of shuffled(arms, random)) {
        for (const drafts of shuffled(['off', 'auto'], random))
          await sample(rates, cases[name], { name, arm, drafts, round })
      }
    }
  }
  return rates
}

async function sample(rates, { prompt, answer, passage }, { name, arm, drafts, round }) {
  // Only spout can be told what to expect.
  const expect = passage && drafts === 'auto' ? await textOf(arm, passage) : undefined
  const { ms, counts } = await arm.call('write', { prompt, answer, drafts, expect })
  const key = `${arm.label} ${name} ${drafts}`
  rates[key] ??= { rates: [], counts }
  rates[key].counts = counts
  if (round > 0) rates[key].rates.push((1000 * (answer.length - 1)) / ms)
}

async function textOf(arm, ids) {
  return arm.label.startsWith('spout') ? (await arm.call('decode', { ids })).text : undefined
}

function print(cases, rates) {
  const { cpu, cpus, node, commit } = machine()
  console.log(
    `${cpu}, ${cpus} CPUs, Node ${node}, commit ${commit}, ${threads} threads, load ${before.join(' ')}`,
  )
  for (const { label, runs } of arms)
    if (runs) console.log(`${label}: kernels ${runs.isa ?? 'of ONNX Runtime'}`)
  for (const { versions } of arms)
    for (const [name, is] of Object.entries(versions)) console.log(`${name} ${is}`)
  console.log(`${tokens} tokens, ${rounds} rounds after one of warm-up\n`)
  console.log('| text | engine | without, tokens/s | with drafts | ratio | guesses, right |')
  console.log('| --- | --- | ---: | ---: | ---: | ---: |')
  for (const name of Object.keys(cases)) {
    for (const { label } of arms) {
      const [off, auto] = ['off', 'auto'].map((drafts) => rates[`${label} ${name} ${drafts}`])
      const ratios = auto.rates.map((rate, round) => rate / off.rates[round]).sort((a, b) => a - b)
      const figures = [median(off.rates).toFixed(0), median(auto.rates).toFixed(0)]
      const ratio = `${median(ratios).toFixed(2)} (${ratios[0].toFixed(2)}–${ratios.at(-1).toFixed(2)})`
      const { drafted = 0, accepted = 0 } = auto.counts ?? {}
      console.log(`| ${name} | ${label} | ${figures.join(' | ')} | ${ratio} | ${drafted}, ${accepted} |`)
    }
  }
}
