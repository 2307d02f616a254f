/**
 * The tokenizer beside @huggingface/tokenizers: making it from parsed JSON, and encoding.
 *
 *     npm run build && node test/bench/tokenizer.bench.mjs [folders with tokenizer.json]
 *
 * Both arms alternate; a figure is a median. `first` encodes 92 kB with a new tokenizer, `again` the same text with a warm
 * one. Only the ratios mean something on another machine.
 */
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Tokenizer as Library } from '@huggingface/tokenizers'
import { createTokenizer } from '../../dist/tokenizer/load-tokenizer.js'
import { parseTokenizerJson } from '../../dist/tokenizer/tokenizer-json.js'

const DATA = '../shared/data'
const names = process.argv.slice(2)
const folders =
  names.length > 0
    ? names
    : ['gpt2', 'qwen3', 'llama-3.2-1b-instruct', 'llama-2'].map((name) => `${DATA}/tokenizers/${name}`)
const text = readFileSync(`${DATA}/corpora/long_text.txt`, 'utf8')
const ROUNDS = 9

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1]

function timed(work) {
  const start = process.hrtime.bigint()
  const result = work()
  return [Number(process.hrtime.bigint() - start) / 1e6, result]
}

const arms = {
  ours: {
    make: (json) => createTokenizer(parseTokenizerJson(json)),
    encode: (tokenizer) => tokenizer.encode(text),
  },
  library: {
    make: (json) => new Library(JSON.parse(json), {}),
    encode: (tokenizer) => tokenizer.encode(text).ids,
  },
}

for (const folder of folders) {
  const json = readFileSync(join(folder, 'tokenizer.json'), 'utf8')
  const times = Object.fromEntries(
    Object.keys(arms).map((name) => [name, { parse: [], make: [], first: [], again: [] }]),
  )
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, arm] of Object.entries(arms)) {
      const [parse] = timed(() => JSON.parse(json))
      const [make, tokenizer] = timed(() => arm.make(json))
      const [first] = timed(() => arm.encode(tokenizer))
      const [again] = timed(() => arm.encode(tokenizer))
      for (const [key, ms] of Object.entries({ parse, make, first, again })) times[name][key].push(ms)
    }
  }
  const of = (name, key) => median(times[name][key])
  const row = (key) =>
    `${key} ${of('ours', key).toFixed(0)} : ${of('library', key).toFixed(0)} ms = ${(of('library', key) / of('ours', key)).toFixed(1)}x`
  console.log(
    `${basename(folder).padEnd(24)} JSON.parse alone ${of('ours', 'parse').toFixed(0)} ms | ${['make', 'first', 'again'].map(row).join(' | ')}`,
  )
}
