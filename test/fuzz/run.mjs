/**
 * Damages the files of models at random, by a seed, and looks at what becomes of it:
 *
 *   npm run fuzz                          some 3,200 cases, minutes
 *   npm run fuzz -- --scale 0.1           fewer; --seed 7: others
 *   npm run fuzz -- --only graphs:17      one case, and what it says
 *
 * A case may end in an answer or in a SpoutError. It fails where its process dies by a signal, needs more than 15 seconds of a processor or
 * 2 GiB, throws anything else, or gives another answer than it should: than plain ONNX Runtime on the same bytes, or than the
 * model without what was prepared of it. Exit 1 when one fails.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startWorker } from './worker.mjs'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    scale: { type: 'string', default: '1' },
    only: { type: 'string' },
    jobs: { type: 'string', default: '1' },
  },
})
const CASES = { graphs: 1300, tokenizers: 700, configs: 450, templates: 350, prepared: 250, caches: 250 }
const MOST_MS = 15_000
const MOST_BYTES = 2 * 2 ** 30
/** Cases of one process: what it leaves behind must not add up. */
const CASES_OF_A_PROCESS = 150

const cases = values.only === undefined ? allCases() : [parseCase(values.only)]
const tally = {}
const failures = []
let peak = 0
let slowest = 0
const started = performance.now()
await Promise.all(Array.from({ length: Number(values.jobs) }, work))
report()

async function work() {
  let worker
  let used = 0
  for (let next = cases.shift(); next !== undefined; next = cases.shift()) {
    worker ??= await startWorker(fileURLToPath(new URL('child.mjs', import.meta.url)), values.seed)
    const outcome = await worker.run(next, { mostMs: MOST_MS, mostBytes: MOST_BYTES })
    note(next, outcome)
    used++
    if (!worker.isAlive || used % CASES_OF_A_PROCESS === 0) {
      await worker.end()
      worker = undefined
    }
  }
  await worker?.end()
}

function note({ target, index }, { kind, detail, ms, bytes }) {
  tally[target] ??= {}
  tally[target][kind] = (tally[target][kind] ?? 0) + 1
  peak = Math.max(peak, bytes)
  slowest = Math.max(slowest, ms)
  if (values.only !== undefined) process.stdout.write(`${kind}: ${detail} (${Math.round(ms)} ms)\n`)
  if (kind === 'answer' || kind === 'refused') return
  failures.push(`${target}:${index} ${kind}: ${detail}`)
  process.stderr.write(`FAILED ${failures.at(-1)}\n`)
}

function allCases() {
  const scale = Number(values.scale)
  const all = Object.entries(CASES).flatMap(([target, count]) =>
    Array.from({ length: Math.ceil(count * scale) }, (_, index) => ({ target, index })),
  )
  return all
}

function parseCase(text) {
  const [target, index] = text.split(':')
  return { target, index: Number(index) }
}

function report() {
  const seconds = Math.round((performance.now() - started) / 1000)
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  process.stdout.write(`spout ${version}, seed ${values.seed}, ${seconds} s\n`)
  for (const [target, kinds] of Object.entries(tally)) {
    const total = Object.values(kinds).reduce((a, b) => a + b, 0)
    process.stdout.write(
      `${target}: ${total} (${Object.entries(kinds)
        .map(([k, n]) => `${n} ${k}`)
        .join(', ')})\n`,
    )
  }
  process.stdout.write(
    `largest process ${Math.round(peak / 2 ** 20)} MiB, longest case ${Math.round(slowest)} ms\n`,
  )
  process.stdout.write(`${failures.length} failed\n`)
  process.exitCode = failures.length > 0 ? 1 : 0
}
