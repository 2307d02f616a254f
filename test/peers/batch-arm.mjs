/**
 * One engine that writes many texts at once, in a process of its own; messages as in arm-process.mjs. `run` answers `count` prompts
 * of `length` ids with `tokens` drawn tokens each, `width` of them at a time, and counts the milliseconds.
 */
import { answerCalls } from './answer-calls.mjs'
import { modelFiles } from './arms/model-files.mjs'

const SAMPLING = { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05 }
const [name, isa] = process.argv[2].split('#')
const loaders = { spout: loadSpout, 'node-llama-cpp': loadLlama }
let arm

const acts = {
  async load({ folder, threads }) {
    arm = await loaders[name]({ model: modelFiles(folder), threads })
    return { versions: arm.versions, runs: arm.runs }
  },
  async run({ width, count, length, tokens, seed }) {
    await arm.open?.({ width, capacity: length + tokens + 8 })
    const started = performance.now()
    let next = 0
    await Promise.all(
      Array.from({ length: width }, async (_, lane) => {
        while (next < count) {
          const index = next++
          const written = await arm.answer({ lane, index: seed * count + index, length, tokens })
          if (written !== tokens) throw new Error(`${written} tokens in place of ${tokens}`)
        }
      }),
    )
    const ms = performance.now() - started
    await arm.close?.()
    return { ms }
  },
  async dispose() {
    await arm?.dispose()
    return {}
  },
}

/** Ids of a prompt that begins like no other: nothing is shared. */
const promptIds = (index, length) =>
  Int32Array.from({ length }, (_, i) => 300 + ((index * 7919 + i * 37 + ((i * index) % 11)) % 20_000))

async function loadSpout({ model, threads }) {
  if (isa !== undefined) process.env.SPOUT_ISA = isa
  const { makeRequest, openEngine } = await import('../../dist/index.js')
  const engine = await openEngine({ model: model.folder, dtype: 'q4', threads, offline: true })
  return {
    versions: {},
    runs: engine.model.runs.kernels,
    async answer({ index, length, tokens }) {
      const sampling = { ...SAMPLING, seed: BigInt(index) }
      const request = makeRequest({ prompt: 'ids', raw: true, ignoreEos: true, maxTokens: tokens, sampling })
      const sink = { token() {}, lastPiece() {} }
      const { tokenIds } = await engine.generate(request, { sink, encoded: encoded(index, length) })
      return tokenIds.length
    },
    dispose: () => engine.dispose(),
  }
}

const encoded = (index, length) => ({ ids: promptIds(index, length), rendered: undefined, notes: [] })

async function loadLlama({ model, threads }) {
  const { getLlama, getModuleVersion } = await import('node-llama-cpp')
  const how = { gpu: false, build: 'never', skipDownload: true, logLevel: 'error' }
  const llama = await getLlama({ ...how, maxThreads: threads })
  const network = await llama.loadModel({ modelPath: model.gguf })
  let context
  let lanes
  return {
    versions: { 'node-llama-cpp': await getModuleVersion(), 'llama.cpp': llama.llamaCppRelease.release },
    async open({ width, capacity }) {
      context = await network.createContext({
        ...{ sequences: width, contextSize: capacity, batchSize: 512, flashAttention: true },
        threads: { ideal: threads, min: threads },
      })
      lanes = Array.from({ length: width }, () => context.getSequence())
    },
    async answer({ lane, index, length, tokens }) {
      const sequence = lanes[lane]
      await sequence.clearHistory()
      let written = 0
      const sampling = { ...SAMPLING, seed: index, yieldEogToken: true }
      for await (const _ of sequence.evaluate(Array.from(promptIds(index, length)), sampling)) {
        if (++written === tokens) break
      }
      return written
    },
    close: () => context.dispose(),
    dispose: () => llama.dispose(),
  }
}

answerCalls(acts)
