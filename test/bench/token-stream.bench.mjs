/**
 * What one token costs on its way to text: the stream, and the two usual ways beside it.
 *
 *     npm run build && node test/bench/token-stream.bench.mjs [folder with tokenizer.json] [text file]
 *
 * `two decodes` keeps a window of ids, decodes it with and without the new id and gives the difference; `decode all` decodes
 * everything from the start and gives what is new. Both use @huggingface/tokenizers. All arms see the same ids, a block of
 * each in turn, after a warm-up; each figure is a median of blocks. Only the ratios mean something on another machine.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer as Library } from '@huggingface/tokenizers'
import { TokenOutputStream } from '../../dist/generation/token-output-stream.js'
import { loadTokenizer } from '../../dist/tokenizer/load-tokenizer.js'

const [folder = '../shared/data/tokenizers/qwen2.5', textFile = '../shared/data/corpora/long_text.txt'] =
  process.argv.slice(2)
const TOKENS = 10_000
const ROUNDS = 30

const tokenizer = await loadTokenizer(folder)
const library = new Library(JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')), {})
const decode = (ids) =>
  library.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false })
const ids = [...tokenizer.encode(readFileSync(textFile, 'utf8'))].slice(0, TOKENS)

const arms = {
  'this stream': () => {
    const stream = new TokenOutputStream(tokenizer)
    return (id) => stream.push(id)
  },
  'two decodes': () => {
    let window = []
    let read = 0
    return (id) => {
      const before = read === 0 ? '' : decode(window.slice(0, read))
      window.push(id)
      const text = decode(window)
      if (text.length <= before.length || text.endsWith('\uFFFD')) return ''
      window = window.slice(read)
      read = window.length
      return text.slice(before.length)
    }
  },
  'decode all': () => {
    const all = []
    let written = ''
    return (id) => {
      all.push(id)
      const text = decode(all)
      if (text.endsWith('\uFFFD')) return ''
      const piece = text.slice(written.length)
      written = text
      return piece
    }
  },
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1]

/** Microseconds per token of one block, the push at `at` being the first. */
function block(push, at, count) {
  const start = process.hrtime.bigint()
  for (let i = at; i < at + count; i++) push(ids[i])
  return Number(process.hrtime.bigint() - start) / 1000 / count
}

/** One pass over all ids, in blocks: [µs of the first, of the middle, of the last block, and the median of all]. */
function pass(make, { blocks, size }) {
  const push = make()
  const step = Math.floor((ids.length - size) / (blocks - 1))
  const times = []
  for (let b = 0, at = 0; b < blocks; b++) {
    for (; at < b * step; at++) push(ids[at])
    times.push(block(push, at, size))
    at += size
  }
  return times
}

function measure() {
  const results = { 'this stream': [], 'two decodes': [] }
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of Object.keys(results)) results[name].push(pass(arms[name], { blocks: 20, size: 200 }))
  }
  const rows = Object.entries(results).map(([name, rounds]) => {
    const usual = rounds.slice(ROUNDS / 3)
    const at = (index) => median(usual.map((times) => times.at(index)))
    return { way: name, first: at(0), middle: at(10), last: at(-1), median: median(usual.flat()) }
  })
  return [...rows, decodeAllRow()]
}

/** Quadratic: a few tokens at each place are enough. */
function decodeAllRow() {
  const at = (place) => {
    const head = ids.slice(0, place)
    return median(Array.from({ length: 5 }, () => timed(() => decode([...head, ids[place]]))))
  }
  const [first, middle, last] = [at(100), at(ids.length >> 1), at(ids.length - 1)]
  return { way: 'decode all', first, middle, last, median: middle }
}

function timed(work) {
  const start = process.hrtime.bigint()
  work()
  return Number(process.hrtime.bigint() - start) / 1000
}

const cold = pass(arms['this stream'], { blocks: 2, size: 100 })
console.log(`${folder}, ${ids.length} tokens, Node ${process.version}; microseconds per token`)
console.log(`cold, first 100 tokens of the process: ${cold[0].toFixed(2)}`)
console.table(
  measure().map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([k, v]) => [k, typeof v === 'number' ? Number(v.toFixed(3)) : v]),
    ),
  ),
)
