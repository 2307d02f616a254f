#!/usr/bin/env node
/** `npm run bench:start`: from the return key to the first word, in fresh processes, side by side. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { loadAverage, machine } from './environment.mjs'
import { installPeers, makeModel } from './prepare.mjs'
import { makeRandom, shuffled } from './schedule.mjs'
import { makeArms } from './start/arms.mjs'
import { peakMemory, timedRun } from './start/fresh-process.mjs'
import { markdown } from './start/report.mjs'

const PEERS = ['node-llama-cpp', 'transformers-js']
const MEMORY_ROUNDS = 3
/** What a first run leaves to be done behind it is done by then. */
const SETTLE_MS = 3000

const USAGE = `npm run bench:start -- [options]
  --model FOLDER   a model made by make-models.py (default: the qwen2.5-0.5b shape)
  --no-model       the embedded model only
  --peers LIST     of ${PEERS.join(', ')} (default: both)
  --before FOLDER  another built checkout of this project, measured beside this one
  --rounds N       runs of each arm (default: 15)
  --warmups N      rounds before those that count (default: 2)
  --threads N      in every arm (default: the CPUs this process may use)
  --seed N         of the order (default: 1)
  --samples FILE   also write every sample there, as JSON`

async function main() {
  const options = parseOptions()
  if (options === undefined) return
  const cache = mkdtempSync(join(os.tmpdir(), 'spout-start-'))
  try {
    const before = loadAverage()
    const { results, failures } = await measure(options, cache)
    const loads = { date: new Date().toISOString().slice(0, 10), before, after: loadAverage() }
    const report = { machine: machine(), command: commandLine(), loads, options, results, failures }
    if (options.samples) writeFileSync(options.samples, `${JSON.stringify(report)}\n`)
    process.stdout.write(markdown(report))
    process.exitCode = Object.keys(failures).length > 0 ? 1 : 0
  } finally {
    rmSync(cache, { recursive: true, force: true })
  }
}

function parseOptions() {
  const string = { type: 'string' }
  const flag = { type: 'boolean' }
  const { values } = parseArgs({
    options: {
      model: string,
      'no-model': flag,
      peers: string,
      before: string,
      rounds: string,
      warmups: string,
      threads: string,
      seed: string,
      samples: string,
      help: flag,
    },
  })
  if (values.help) return void process.stdout.write(`${USAGE}\n`)
  const peers = (values.peers ?? PEERS.join(',')).split(',').filter((name) => name !== '')
  for (const name of peers)
    if (!PEERS.includes(name)) stop(`--peers: ${name} is not one of ${PEERS.join(', ')}`)
  const number = (name, standard) => wholeNumber(name, values[name] ?? String(standard))
  return {
    model: values['no-model'] ? undefined : modelOf(values.model, peers),
    peers,
    before: values.before,
    rounds: number('rounds', 15),
    warmups: number('warmups', 2),
    threads: number('threads', os.availableParallelism()),
    seed: number('seed', 1),
    samples: values.samples,
  }
}

function modelOf(folder, peers) {
  if (peers.includes('node-llama-cpp')) installPeers()
  if (folder === undefined) return makeModel('qwen2.5-0.5b')
  if (!existsSync(join(folder, 'config.json'))) stop(`--model: ${folder}: no model there`)
  return resolve(folder)
}

function wholeNumber(name, text) {
  if (!/^[1-9]\d{0,5}$/.test(text)) stop(`--${name}: ${text} is not a whole number from 1`)
  return Number(text)
}

/** An arm that fails is left out from there on, and named. */
async function measure({ rounds, warmups, seed, ...options }, cache) {
  const random = makeRandom(seed)
  const failures = {}
  let arms = makeArms({ ...options, cache })
  const results = Object.fromEntries(arms.map(({ name }) => [name, { first: [], whole: [], memory: [] }]))
  for (let round = -warmups; round < rounds; round++) {
    if (round === 0) await sleep(SETTLE_MS)
    for (const arm of shuffled(arms, random)) {
      try {
        await sample(arm, { round, into: results[arm.name], cache })
      } catch (error) {
        failures[arm.name] = error.message
        arms = arms.filter((other) => other !== arm)
        delete results[arm.name]
      }
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\n`)
  }
  return { results, failures }
}

async function sample(arm, { round, into, cache }) {
  const { first, whole } = await timedRun(arm)
  if (round < 0) return
  into.whole.push(whole)
  if (first !== undefined) into.first.push(first)
  if (round < MEMORY_ROUNDS) into.memory.push(await peakMemory(arm, join(cache, 'peak')))
}

const commandLine = () =>
  ['npm run bench:start', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ')

function stop(message) {
  process.stderr.write(`bench:start: ${message}\n`)
  process.exit(2)
}

await main()
