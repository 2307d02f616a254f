#!/usr/bin/env node
/**
 * From the return key to the first byte of an answer that must satisfy a schema of 50 properties, beside the same without:
 * spout, node-llama-cpp with its JSON-schema grammar, and web-xgrammar, which has no model: what it adds before a first mask.
 *     node test/peers/structure.mjs --model FOLDER [--rounds 11] [--before FOLDER] [--peers node-llama-cpp,web-xgrammar]
 * The folder holds a prepared model and, for node-llama-cpp, the same as model_q4_0.gguf. The prompt is the same text in all.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { loadAverage, machine } from './environment.mjs'
import { installPeers } from './prepare.mjs'
import { makeRandom, shuffled } from './schedule.mjs'
import { median } from './statistics.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const PROMPT = 'Hello there'
const PEERS = ['node-llama-cpp', 'web-xgrammar']
const LIMIT_MS = 60_000

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    rounds: { type: 'string', default: '11' },
    before: { type: 'string' },
    peers: { type: 'string', default: PEERS.join(',') },
    threads: { type: 'string', default: String(os.availableParallelism()) },
  },
})
if (values.model === undefined) throw new Error('--model: a folder with a model')
const model = resolve(values.model)
const peers = values.peers.split(',').filter((name) => name !== '')
if (peers.length > 0) installPeers()

const folder = mkdtempSync(join(os.tmpdir(), 'spout-structure-'))
try {
  const schema = join(folder, 'fifty.json')
  writeFileSync(schema, JSON.stringify(schemaOf(50)))
  await main(schema)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Of all common kinds; half of them required. */
function schemaOf(count) {
  const kinds = [
    { type: 'string' },
    { type: 'integer', minimum: 0, maximum: 120 },
    { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 5 },
    { enum: ['a', 'b', 'c'] },
    { type: 'string', format: 'date' },
    { type: 'boolean' },
    { type: 'number' },
    { type: 'string', maxLength: 80 },
    { type: 'object', properties: { x: { type: 'number' }, y: { type: 'number' } }, required: ['x', 'y'] },
    { type: ['string', 'null'] },
  ]
  const properties = Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`property_${i}`, kinds[i % kinds.length]]),
  )
  return { type: 'object', properties, required: Object.keys(properties).slice(0, count / 2) }
}

async function main(schema) {
  const arms = armsOf(schema)
  const samples = Object.fromEntries(arms.map(({ name }) => [name, []]))
  const before = loadAverage()
  const random = makeRandom(1)
  for (let round = -1; round < Number(values.rounds); round++) {
    for (const arm of shuffled(arms, random)) {
      const ms = await firstByte(arm)
      if (round >= 0) samples[arm.name].push(ms)
    }
    process.stderr.write(`round ${round + 1} of ${values.rounds}\n`)
  }
  report(samples, `load ${before} before, ${loadAverage()} after`)
}

function armsOf(schema) {
  const spout = (root) => [
    ...[join(root, 'bin/spout.js'), '-m', model, '--offline', '--raw', '--jsonl', '-n', '600', '-t', '0'],
    ...['--threads', values.threads, PROMPT],
  ]
  const builds = [['spout', ROOT], ...(values.before ? [['before', resolve(values.before)]] : [])]
  const arms = [{ name: 'node', args: ['-e', 'console.log(0)'] }]
  for (const [name, root] of builds) {
    arms.push({ name, args: spout(root) })
    arms.push({ name: `${name}, two fields`, args: [...spout(root), '--schema', 'name, age int'] })
    arms.push({ name: `${name}, schema`, args: [...spout(root), '--schema', schema] })
  }
  if (peers.includes('node-llama-cpp')) {
    const args = [
      here('structure/node-llama-cpp.mjs'),
      join(model, 'model_q4_0.gguf'),
      values.threads,
      PROMPT,
    ]
    arms.push({ name: 'node-llama-cpp', args })
    arms.push({ name: 'node-llama-cpp, schema', args: [...args, schema] })
  }
  if (peers.includes('web-xgrammar')) {
    const args = [here('structure/web-xgrammar.mjs'), join(model, 'tokenizer.json')]
    arms.push({ name: 'web-xgrammar', args })
    arms.push({ name: 'web-xgrammar, schema', args: [...args, schema] })
  }
  return arms
}

/** Milliseconds from before the start to the first byte on stdout; then the process is ended. */
function firstByte({ name, args }) {
  return new Promise((done, failed) => {
    const startedAt = performance.now()
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT_MS })
    let first
    let complaint = ''
    child.stdout.on('data', () => {
      first ??= performance.now() - startedAt
      child.kill('SIGKILL')
    })
    child.stderr.on('data', (text) => {
      complaint += text
    })
    child.once('error', failed)
    child.once('close', () => {
      if (first === undefined) failed(new Error(`${name}: ${complaint.trim().slice(-400)}`))
      else done(first)
    })
  })
}

function report(samples, loads) {
  const { cpu, isa } = machine()
  console.log(`${cpu} ${isa ?? ''}; Node ${process.version}; ${values.threads} threads; ${loads}`)
  console.log('\n| | first byte, ms | more than without, ms |\n| --- | --- | --- |')
  for (const [name, times] of Object.entries(samples)) {
    const without = samples[name.replace(/, .*/, '')]
    // Of one round: what else the machine does has changed least between them.
    const more = name.includes(',') ? median(times.map((ms, i) => ms - without[i])).toFixed(0) : ''
    const low = Math.min(...times).toFixed(0)
    console.log(`| ${name} | ${median(times).toFixed(0)} (least ${low}) | ${more} |`)
  }
}
