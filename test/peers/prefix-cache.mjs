#!/usr/bin/env node
/**
 * `node test/peers/prefix-cache.mjs`: a question about a file, asked in fresh processes: the first, the same again, another one, and the
 * first with the cache off. Times to the first byte, by turns; the bytes must be the same with and without. Beside them
 * node-llama-cpp, which saves its state to a file and loads it, where it is installed (`npm ci` in this folder).
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { loadAverage, machine } from './environment.mjs'
import { timedRun } from './start/fresh-process.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PEER = fileURLToPath(new URL('start/node-llama-cpp-state.mjs', import.meta.url))
const FIRST = 'Who speaks first?'
const OTHER = 'Where does this take place?'
/** A process that nobody waits for needs less. */
const WRITE_MS = 60_000

const USAGE = `node test/peers/prefix-cache.mjs --model FOLDER --text FILE [options]
  --model FOLDER   a model made by make-models.py, with its model_q4_0.gguf for the peer
  --text FILE      the document
  --rounds N       of all arms, by turns (default: 3)
  --threads N      in every arm (default: 2)
  --no-peer        without node-llama-cpp`

async function main() {
  const string = { type: 'string' }
  const { values } = parseArgs({
    options: { model: string, text: string, rounds: string, threads: string, 'no-peer': { type: 'boolean' } },
  })
  if (values.model === undefined || values.text === undefined) return console.log(USAGE)
  const cache = mkdtempSync(join(os.tmpdir(), 'spout-prefix-'))
  try {
    await measure(
      { ...values, model: resolve(values.model), text: resolve(values.text), threads: values.threads ?? '2' },
      cache,
    )
  } finally {
    rmSync(cache, { recursive: true, force: true })
  }
}

async function measure(options, cache) {
  const before = loadAverage()
  const spout = (question, ...more) => ({
    name: 'spout',
    args: [
      join(ROOT, 'bin/spout.js'),
      ...['-m', options.model, '--dtype', 'q4', '--threads', options.threads, '-n', '4', '-t', '0', '-q'],
      ...['-f', options.text, ...more, question],
    ],
    env: { SPOUT_CACHE_DIR: cache },
  })
  await timedRun({
    name: 'prepare',
    args: [join(ROOT, 'bin/spout.js'), 'models', 'prepare', '--dtype', 'q4', options.model],
    env: { SPOUT_CACHE_DIR: cache },
  })
  const state = join(cache, 'llama.state')
  const gguf = join(options.model, 'model_q4_0.gguf')
  const hasPeer = !options['no-peer'] && existsSync(gguf) && existsSync(join(PEER, '../../node_modules'))
  const llama = (question) => ({
    name: 'node-llama-cpp',
    args: [PEER, gguf, options.threads, options.text, question, state],
  })
  const times = {}
  const texts = {}
  const run = async (arm, command, text) => {
    const { first, whole, text: said } = await timedRun(command)
    times[arm] ??= { first: [], whole: [] }
    times[arm].first.push(first)
    times[arm].whole.push(whole)
    if (text === undefined) return
    texts[text] ??= new Set()
    texts[text].add(said)
  }
  for (let round = -1; round < Number(options.rounds ?? 3); round++) {
    rmSync(join(cache, 'prompts'), { recursive: true, force: true })
    rmSync(state, { force: true })
    const off = () => run('off, first question', spout(FIRST, '--no-prompt-cache'), FIRST)
    if (round % 2 === 0) await off()
    await run('first question', spout(FIRST), FIRST)
    await written(join(cache, 'prompts'))
    if (round % 2 !== 0) await off()
    await run('the same again', spout(FIRST), FIRST)
    await run('another question', spout(OTHER), OTHER)
    await run('off, another question', spout(OTHER, '--no-prompt-cache'), OTHER)
    if (hasPeer) {
      await run('node-llama-cpp, first', llama(FIRST))
      await run('node-llama-cpp, the same again', llama(FIRST))
      await run('node-llama-cpp, another', llama(OTHER))
    }
    // A round that does not count: files are read for the first time.
    if (round < 0) for (const arm of Object.keys(times)) delete times[arm]
  }
  report({ times, texts, loads: { before, after: loadAverage() }, options })
}

/** Once the writer has given its lock back. */
async function written(folder) {
  const endsAt = Date.now() + WRITE_MS
  const names = () => (existsSync(folder) ? readdirSync(folder, { recursive: true }) : [])
  const isDone = () => names().some((name) => name.endsWith('.kv')) && !names().includes('.lock')
  while (!isDone() && Date.now() < endsAt) await sleep(50)
}

function report({ times, texts, loads, options }) {
  const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]
  console.log(JSON.stringify({ machine: machine(), loads, options }))
  for (const [arm, { first, whole }] of Object.entries(times)) {
    const share =
      median(first) / median(times[arm.startsWith('node') ? 'node-llama-cpp, first' : 'first question'].first)
    console.log(
      `${arm.padEnd(32)} first byte ${median(first).toFixed(0)} ms (${first.map((ms) => ms.toFixed(0)).join(' ')}), ${share.toFixed(3)} of the first; end ${median(whole).toFixed(0)} ms`,
    )
  }
  for (const [question, said] of Object.entries(texts)) {
    console.log(`${question} ${said.size === 1 ? 'the same bytes in all runs' : 'OTHER BYTES'}`)
    if (said.size !== 1) process.exitCode = 1
  }
}

await main()
