#!/usr/bin/env node
/**
 * How fast `spout filter` is beside plain prefill, in one run: blocks of lines and blocks of prompts in turn, in one process over
 * one model. After a build:
 *
 *     node test/peers/filter.mjs [--model FOLDER] [--lines 10000] [--blocks 10] [--threads N]
 *
 * Prints tokens a second of each block, the ratio of the medians, and the memory of the process after each block of lines.
 */
import { parseArgs } from 'node:util'
import { judgeLines } from '../../dist/batch/judge-lines.js'
import { openLineJudge } from '../../dist/cli/scoring/line-judge.js'
import { openBackend, openEngine, prefill } from '../../dist/index.js'
import { criterionQuestion } from '../../dist/scoring/yes-no.js'

const string = { type: 'string' }
const { values } = parseArgs({ options: { model: string, lines: string, blocks: string, threads: string } })
const [lines, blocks, threads] = [values.lines ?? 10_000, values.blocks ?? 10, values.threads ?? 2].map(
  Number,
)
const options = { model: values.model, threads, offline: true }
const WORDS = 'the king of this old town was not at home when his men came back from war'.split(' ')

const engine = await openEngine(options)
const { backend } = await openBackend(options)
const { signal } = new AbortController()
const questionOf = (form) => criterionQuestion('is about sport', form)
const judge = await openLineJudge({ engine, options: {}, questionOf, signal })

function lineOf(number) {
  const count = 8 + (number % 12)
  return `${number} ${Array.from({ length: count }, (_, i) => WORDS[(number * 7 + i * (1 + (number % 5))) % WORDS.length]).join(' ')}`
}

async function* records(from, count) {
  for (let i = 0; i < count; i++) yield { index: i, line: i + 1, raw: lineOf(from + i), after: 0 }
}

/** Tokens a second of one block of lines. */
async function filterBlock(from, count) {
  let tokens = 0
  const startedAt = performance.now()
  await judgeLines({
    ...{ records: records(from, count), parallel: 32, signal },
    judge: ({ raw }, lineSignal) => judge.judge({ text: raw }, lineSignal),
    take: ({ verdict }) => {
      tokens += verdict.tokens
      return undefined
    },
    open: async () => undefined,
    asSpoutError: (cause) => cause,
  })
  return (1000 * tokens) / (performance.now() - startedAt)
}

/** Tokens a second of prompts as long as the context takes, and no longer than 1,024. */
async function prefillBlock(ms) {
  const length = Math.min(1024, backend.contextLength - 1)
  const ids = Int32Array.from({ length }, (_, i) => 300 + ((i * 37) % 1500))
  let tokens = 0
  const startedAt = performance.now()
  while (performance.now() - startedAt < ms) {
    const cache = backend.createCache(length)
    await prefill(backend, { ids, cache })
    cache.dispose()
    tokens += length
  }
  return (1000 * tokens) / (performance.now() - startedAt)
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1]
const [filtered, prefilled, memory] = [[], [], []]
await filterBlock(0, 200)
await prefillBlock(500)
for (let block = 0; block < blocks; block++) {
  filtered.push(await filterBlock((block * lines) / blocks, lines / blocks))
  memory.push(Math.round(process.memoryUsage.rss() / 1e6))
  prefilled.push(await prefillBlock(1500))
}
const ratio = median(filtered) / median(prefilled)
console.log(`model     ${engine.model.id} (${engine.model.dtype}), ${threads} threads, ${lines} lines`)
console.log(
  `filter    ${median(filtered).toFixed(0)} tok/s   (${filtered.map((x) => x.toFixed(0)).join(' ')})`,
)
console.log(
  `prefill   ${median(prefilled).toFixed(0)} tok/s   (${prefilled.map((x) => x.toFixed(0)).join(' ')})`,
)
console.log(`ratio     ${ratio.toFixed(3)}`)
console.log(`memory    ${memory.join(' ')} MB`)
await engine.dispose()
await backend.dispose()
