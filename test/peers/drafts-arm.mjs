/**
 * One engine that guesses several tokens a step, in a process of its own; messages as in arm-process.mjs. The weights are random and
 * would never repeat what they read, so the text is written for them: the score of the id that comes next is raised after each real
 * step, and the sampler finds it there. What a step costs, and what a wrong guess costs, is the real thing.
 */
import { answerCalls } from './answer-calls.mjs'
import { modelFiles } from './arms/model-files.mjs'
import { RAISED, scriptedBackend } from './scripted.mjs'

const loaders = { spout: loadSpout, 'node-llama-cpp': loadLlama }
let arm

const acts = {
  async load({ folder, threads }) {
    arm = await loaders[process.argv[2].split('#')[0]]({ model: modelFiles(folder), threads })
    return { versions: arm.versions, runs: arm.runs }
  },
  encode: ({ text }) => ({ ids: arm.encode(text) }),
  decode: ({ ids }) => ({ text: arm.decode(ids) }),
  /** The time from the first id of `answer` to its last. */
  async write({ prompt, answer, expect, drafts }) {
    let first = 0
    let count = 0
    const took = (id) => {
      if (id !== answer[count]) throw new Error(`id ${count} is ${id}, not ${answer[count]}`)
      if (count++ === 0) first = performance.now()
    }
    const counts = await arm.write({ prompt, answer, expect, drafts, took })
    if (count !== answer.length) throw new Error(`${count} ids in place of ${answer.length}`)
    return { ms: performance.now() - first, counts }
  },
  async dispose() {
    await arm?.dispose()
    return {}
  },
}

async function loadSpout({ model, threads }) {
  const { makeRequest, openBackend } = await import('../../dist/index.js')
  const { createLocalEngine } = await import('../../dist/engine/local-engine.js')
  const how = { model: model.folder, dtype: 'q4', threads, offline: true }
  const opened = await openBackend(how)
  const script = { prompt: 0, answer: [] }
  const backend = scriptedBackend(opened.backend, script)
  const engine = createLocalEngine({
    model: opened.model,
    backend,
    defaults: {},
    promptCache: false,
    note() {},
  })
  return {
    versions: {},
    runs: opened.model.runs.kernels,
    encode: (text) => Array.from(backend.tokenizer.encode(text, { addSpecialTokens: false })),
    decode: (ids) => backend.tokenizer.decode(Int32Array.from(ids)),
    async write({ prompt, answer, expect, drafts, took }) {
      Object.assign(script, { prompt: prompt.length, answer })
      const request = makeRequest({
        ...{
          prompt: 'ids',
          raw: true,
          ignoreEos: true,
          maxTokens: answer.length,
          sampling: { temperature: 0 },
        },
        ...{ drafts, ...(expect !== undefined && { expect }) },
      })
      const encoded = { ids: Int32Array.from(prompt), rendered: undefined, notes: [] }
      const sink = { token: took, lastPiece() {} }
      return (await engine.generate(request, { sink, encoded })).drafts
    },
    dispose: () => engine.dispose(),
  }
}

/** Its predictor of repeated input; the scripted id by a bias, asked for once a row and in the order of the rows. */
async function loadLlama({ model, threads }) {
  const { getLlama, getModuleVersion, InputLookupTokenPredictor, TokenBias } = await import('node-llama-cpp')
  const how = { gpu: false, build: 'never', skipDownload: true, logLevel: 'error' }
  const llama = await getLlama({ ...how, maxThreads: threads })
  const network = await llama.loadModel({ modelPath: model.gguf })
  const place = { taken: 0, rows: 0 }
  class Lookup extends InputLookupTokenPredictor {
    predictTokens() {
      place.rows = 0
      return super.predictTokens()
    }
  }
  return {
    versions: { 'node-llama-cpp': await getModuleVersion(), 'llama.cpp': llama.llamaCppRelease.release },
    async write({ prompt, answer, drafts, took }) {
      const context = await network.createContext({
        ...{ contextSize: prompt.length + answer.length + 32, batchSize: 512, flashAttention: true },
        threads: { ideal: threads, min: threads },
      })
      const tokenPredictor = drafts === 'off' ? undefined : new Lookup()
      const sequence = context.getSequence({ ...(tokenPredictor && { tokenPredictor }) })
      tokenPredictor?.updateInputTokens(prompt)
      const tokenBias = () => {
        const id = answer[place.taken + place.rows++]
        const bias = new TokenBias(network.tokenizer)
        return id === undefined ? bias : bias.set([id], { logit: RAISED })
      }
      Object.assign(place, { taken: 0, rows: 0 })
      for await (const id of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true, tokenBias })) {
        took(id)
        place.taken++
        if (tokenPredictor === undefined) place.rows = 0
        if (place.taken === answer.length) break
      }
      const { used, refuted } = sequence.tokenPredictions
      await context.dispose()
      return { accepted: used, drafted: used + refuted }
    },
    dispose: () => llama.dispose(),
  }
}

answerCalls(acts)
