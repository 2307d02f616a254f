/**
 * The measurement of one shape. Two parts:
 * - fresh: every arm in a new process per round (load time, peak memory after a prompt), rounds in shuffled order;
 * - steady: every arm in `processes` processes, one of each arm alive at a time, started in shuffled order; samples in ABBA
 *   blocks (prefill, then decode at each context), warmed up before. Samples are kept process by process.
 * An arm that fails is left out from there on and named in `failures`; the others go on.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startArm } from './arm-client.mjs'
import { block, makeRandom, promptIds, shuffled } from './schedule.mjs'

const MARGIN = 256 // tokens beside the prompt that a cache must hold
const SETTLE_MS = 40 // lets the threads of the arm before stop spinning
const MEMORY_PROMPT = 1024
const LONG_PROMPT = 3500
/** Arms that answer how memory grows with the prompt. */
const LONG_ARMS = ['spout', 'node-llama-cpp']

export async function measure(options) {
  const run = prepare(options)
  await measureFresh(run)
  for (run.process = 0; run.process < run.processes; run.process++) await measureSteady(run)
  return run.results
}

function prepare({ folder, arms, threads, seed, limits, ...options }) {
  const { vocab_size } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
  const random = makeRandom(seed)
  const longest = Math.max(LONG_PROMPT, ...options.contexts, ...options.prefills)
  return {
    ...options,
    folder,
    threads,
    limits,
    random,
    arms: new Set(arms),
    prompt: promptIds(longest, Math.min(vocab_size, 40_000), random),
    results: { load: {}, rss: {}, longRss: {}, prefill: {}, decode: {}, ids: {}, versions: {}, failures: {} },
  }
}

/** Runs `body`; a failure takes the arm out of the rest of the run. */
async function guarded(run, label, body) {
  try {
    return await body()
  } catch (error) {
    run.arms.delete(label)
    run.results.failures[label] = error.message
    run.progress(`left out: ${error.message}`)
  }
}

async function measureFresh(run) {
  if (run.freshRounds === 0) return
  const labels = () => [...run.arms].filter((label) => !label.includes('#'))
  for (let round = 0; round <= run.freshRounds; round++) {
    for (const label of shuffled(labels(), run.random)) {
      const sample = await guarded(run, label, () => freshSample(run, label, MEMORY_PROMPT))
      if (sample === undefined) continue
      run.progress(
        `fresh ${round}/${run.freshRounds} ${label}: load ${sample.ms.toFixed(0)} ms, ${mebibytes(sample.bytes)} MiB`,
      )
      run.results.versions[label] = sample.versions
      if (round === 0) continue // the round that reads the files into the page cache
      push(run.results.load, label, sample.ms)
      push(run.results.rss, label, sample.bytes)
    }
  }
  for (const label of labels().filter((label) => LONG_ARMS.includes(label))) {
    const sample = await guarded(run, label, () => freshSample(run, label, LONG_PROMPT))
    if (sample) push(run.results.longRss, label, sample.bytes)
  }
}

/** Load, one prompt and a few tokens in a process of their own. */
async function freshSample(run, label, length) {
  const arm = startArm(label)
  try {
    const { ms, versions } = await arm.call('load', loadArguments(run, length + MARGIN))
    await arm.call('prefill', { ids: run.prompt.slice(0, length) })
    await arm.call('decode', { count: 8 })
    const { bytes } = await arm.call('memory')
    await arm.call('dispose')
    return { ms, versions, bytes }
  } finally {
    await arm.stop()
  }
}

const loadArguments = ({ folder, threads }, capacity) => ({ folder, threads, capacity })

async function measureSteady(run) {
  const alive = new Map()
  try {
    for (const label of shuffled([...run.arms], run.random)) {
      const arm = startArm(label)
      alive.set(label, arm)
      const capacity = Math.max(...run.contexts, ...run.prefills) + run.tokens + MARGIN
      const loaded = await guarded(run, label, () => arm.call('load', loadArguments(run, capacity)))
      if (loaded) run.results.versions[label] = loaded.versions
    }
    for (const length of run.prefillRounds ? run.prefills : []) await measurePrefill(run, alive, length)
    for (const context of run.contexts) await measureDecode(run, alive, context)
  } finally {
    await Promise.all([...alive.values()].map((arm) => arm.stop()))
  }
}

async function measurePrefill(run, alive, length) {
  const ids = run.prompt.slice(0, length)
  run.results.prefill[length] ??= {}
  const samples = run.results.prefill[length]
  const prefill = async (label) => (await alive.get(label).call('prefill', { ids })).ms
  await interleave(run, `prefill ${length}`, run.prefillRounds, within(run, length), prefill, (label, ms) =>
    pushTo(run, samples, label, ms),
  )
}

async function measureDecode(run, alive, context) {
  const ids = run.prompt.slice(0, context)
  const labels = shuffled(within(run, context), run.random)
  for (const label of labels) {
    run.progress(`context ${context}: ${label} reads the prompt`)
    await guarded(run, label, () => alive.get(label).call('prefill', { ids }))
  }
  run.results.decode[context] ??= {}
  const samples = run.results.decode[context]
  run.results.ids[context] ??= {}
  const lastIds = run.results.ids[context]
  const decode = (label) => alive.get(label).call('decode', { count: run.tokens })
  await interleave(run, `decode at ${context}`, run.rounds, labels, decode, (label, { ms, ids }) => {
    pushTo(run, samples, label, ms / run.tokens)
    lastIds[label] = ids
  })
}

/** One warm-up each, then `rounds` ABBA blocks. */
async function interleave(run, what, rounds, labels, sample, keep) {
  for (let round = 0; round <= rounds; round++) {
    const where = `process ${run.process + 1}/${run.processes}, ${what}`
    run.progress(round === 0 ? `${where}: warm-up` : `${where}: block ${round}/${rounds}`)
    const present = labels.filter((label) => run.arms.has(label))
    for (const label of round === 0 ? shuffled(present, run.random) : block(present, run.random)) {
      if (!run.arms.has(label)) continue
      await sleep(SETTLE_MS)
      const value = await guarded(run, label, () => sample(label))
      if (round > 0 && value !== undefined) keep(label, value)
    }
  }
}

const within = (run, length) =>
  [...run.arms].filter((label) => length <= (run.limits[label.split('#')[0]] ?? Infinity))

function push(samples, label, value) {
  samples[label] ??= []
  samples[label].push(value)
}

/** A list for each process, so that the i-th of two arms were measured in the same blocks. */
function pushTo(run, samples, label, value) {
  samples[label] ??= []
  push(samples[label], run.process, value)
}

const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(0)
