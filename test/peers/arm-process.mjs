/**
 * One arm in a process of its own: its memory and its start are its own, and between messages it waits and costs nothing.
 * Driven by messages `{ id, do, args }`; answers `{ id, result }` or `{ id, error }`. Times are taken here, around the arm's call.
 */
import { readFileSync } from 'node:fs'
import { answerCalls } from './answer-calls.mjs'
import { modelFiles } from './arms/model-files.mjs'

const [module, variant] = process.argv[2].split('#')
let arm

const acts = {
  async load({ folder, threads, capacity }) {
    const started = performance.now()
    const { load } = await import(`./arms/${module}.mjs`)
    arm = await load({ model: modelFiles(folder), threads, capacity, variant })
    return { ms: performance.now() - started, versions: arm.versions }
  },
  async prefill({ ids }) {
    const started = performance.now()
    await arm.prefill(ids)
    return { ms: performance.now() - started }
  },
  async decode({ count }) {
    await arm.rewind?.()
    const started = performance.now()
    const ids = await arm.decode(count)
    return { ms: performance.now() - started, ids: Array.from(ids) }
  },
  memory: async () => ({ bytes: peakBytes() }),
  async dispose() {
    await arm?.dispose()
    return {}
  },
}

/** Largest resident size so far, from Linux's own account of it. */
function peakBytes() {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(line[1]) * 1024
}

answerCalls(acts)
