#!/usr/bin/env node
/** `npm run bench:peers`: makes the models where they are missing, measures every arm interleaved, prints a table. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadAverage, machine } from './environment.mjs'
import { measure } from './measure.mjs'
import { installPeers, makeModel, modelFolder, prepareModel } from './prepare.mjs'
import { markdown } from './report.mjs'

const SHAPES = ['smollm2-135m', 'qwen2.5-0.5b']
const ARMS = [
  'spout',
  'spout#unprepared',
  'spout#sampling',
  'spout#avx-vnni',
  'spout#avx2',
  'spout#none',
  'bare-c-api',
  'bare-c-api#again',
  'node-session',
  'transformers-js',
  'node-llama-cpp',
]
/** Longest prompt an arm is given: past it, transformers.js holds several copies of prompt × vocabulary logits. */
const LIMITS = { 'transformers-js': 1024 }

const USAGE = `npm run bench:peers -- [options]
  --shape LIST           of ${SHAPES.join(', ')} (default: both)
  --arms LIST            of ${ARMS.join(', ')} (default: all)
  --contexts LIST        tokens before decode (default: 128,1024,3000)
  --prefills LIST        prompt lengths (default: 128,1024)
  --processes N          processes an arm for prefill and decode, one after another (default: 5)
  --rounds N             decode blocks in each, two samples an arm (default: 2)
  --prefill-rounds N     prefill blocks in each, two samples an arm; 0 leaves it out (default: 1)
  --fresh-rounds N       fresh processes an arm, for load and memory; 0 leaves it out (default: 3)
  --tokens N             tokens per decode sample (default: 32)
  --threads N            in every arm (default: the CPUs this process may use)
  --seed N               of the prompt and the order (default: 1)
  --out md|json          what stdout gets (default: md)
  --samples FILE         also write every sample there, as JSON`

async function main() {
  const options = parseOptions()
  if (!options) return
  if (options.arms.includes('node-llama-cpp')) installPeers()
  for (const shape of options.shapes) makeModel(shape)
  const before = loadAverage()
  if (Number(before[0]) > 0.5) {
    process.stderr.write(`the machine is not quiet (load average ${before[0]}): expect noise\n`)
  }
  // Of our own, for the arms that run as spout does from the second time on.
  process.env.SPOUT_CACHE_DIR = mkdtempSync(join(os.tmpdir(), 'spout-peers-'))
  process.on('exit', () => rmSync(process.env.SPOUT_CACHE_DIR, { recursive: true, force: true }))
  const report = { machine: machine(), command: commandLine(), options, shapes: {} }
  report.loads = { date: new Date().toISOString().slice(0, 10), before, after: before }
  for (const shape of options.shapes) {
    const folder = modelFolder(shape)
    prepareModel({ model: folder, threads: options.threads, env: {} })
    const progress = (text) => process.stderr.write(`${shape}: ${text}\n`)
    const results = await measure({ ...options, folder, limits: LIMITS, progress })
    report.shapes[shape] = { results, sizes: modelSizes(folder) }
    report.loads.after = loadAverage()
    if (options.samples) writeJson(options.samples, report)
  }
  process.stdout.write(options.out === 'json' ? `${JSON.stringify(report, null, 1)}\n` : markdown(report))
  const failed = Object.values(report.shapes).some(({ results }) => Object.keys(results.failures).length > 0)
  process.exitCode = failed ? 1 : 0
}

function parseOptions() {
  const string = { type: 'string' }
  const { values } = parseArgs({
    options: {
      shape: string,
      arms: string,
      contexts: string,
      prefills: string,
      processes: string,
      rounds: string,
      'prefill-rounds': string,
      'fresh-rounds': string,
      tokens: string,
      threads: string,
      seed: string,
      out: string,
      samples: string,
      help: { type: 'boolean' },
    },
  })
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    return
  }
  return {
    shapes: listOf('shape', values.shape, SHAPES),
    arms: listOf('arms', values.arms, ARMS),
    contexts: numbersOf('contexts', values.contexts ?? '128,1024,3000'),
    prefills: numbersOf('prefills', values.prefills ?? '128,1024'),
    processes: numberOf('processes', values.processes ?? '5'),
    rounds: numberOf('rounds', values.rounds ?? '2'),
    prefillRounds: numberOf('prefill-rounds', values['prefill-rounds'] ?? '1', 0),
    freshRounds: numberOf('fresh-rounds', values['fresh-rounds'] ?? '3', 0),
    tokens: numberOf('tokens', values.tokens ?? '32'),
    threads: numberOf('threads', values.threads ?? String(os.availableParallelism())),
    seed: numberOf('seed', values.seed ?? '1'),
    out: listOf('out', values.out ?? 'md', ['md', 'json'])[0],
    samples: values.samples,
  }
}

function listOf(name, text, known) {
  const items = text === undefined ? known : text.split(',')
  for (const item of items)
    if (!known.includes(item)) stop(`--${name}: ${item} is not one of ${known.join(', ')}`)
  return items
}

const numbersOf = (name, text) => text.split(',').map((item) => numberOf(name, item))

function numberOf(name, text, least = 1) {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least)
    stop(`--${name}: ${text} is not a whole number from ${least}`)
  return Number(text)
}

function modelSizes(folder) {
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
  const kvBytes = config.num_hidden_layers * 2 * config.num_key_value_heads * config.head_dim * 4
  return { kvBytes, vocab: config.vocab_size }
}

const commandLine = () =>
  ['npm run bench:peers', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ')

function writeJson(path, value) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(value)}\n`)
}

function stop(message) {
  process.stderr.write(`bench:peers: ${message}\n`)
  process.exit(2)
}

await main()
