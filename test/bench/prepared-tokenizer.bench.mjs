/**
 * A prepared tokenizer beside tokenizer.json, in fresh processes; and encoding beside the Rust library in Python, by turns.
 *
 *     npm run build && node test/bench/prepared-tokenizer.bench.mjs [folders with tokenizer.json]
 *
 * `load` is from the call to the tokenizer, `first` the first encoding of a prompt of some 30 tokens, `cpu` the processor time of
 * both (of all threads); memory is that of the process after them, beside a process that loads nothing. Encoding is of 200 kB of
 * prose and of a million times one letter. Medians; without `pip install tokenizers` the Rust library is left out.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { loadPreparedTokenizer } from '../../dist/tokenizer/load-prepared.js'

const DATA = '../shared/data'
const PROMPT =
  'Hello world, this is a test of some thirty tokens: the quick brown fox jumps over the lazy dog, and then more words follow.'
const ROUNDS = 9

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1]

/** @param cacheFolder empty for tokenizer.json. */
async function child(folder, cacheFolder) {
  const cpu = process.cpuUsage()
  const start = performance.now()
  const loaded =
    folder === '' ? undefined : await loadPreparedTokenizer(folder, { cacheFolder: cacheFolder || undefined })
  const load = performance.now() - start
  if (folder && loaded.wasPrepared !== (cacheFolder !== '')) throw new Error('not what was to be measured')
  loaded?.tokenizer.encode(PROMPT)
  const first = performance.now() - start - load
  const { user, system } = process.cpuUsage(cpu)
  const { rss, heapUsed } = process.memoryUsage()
  const MiB = 2 ** 20
  console.log(
    JSON.stringify({ load, first, cpu: (user + system) / 1000, rss: rss / MiB, heap: heapUsed / MiB }),
  )
}

async function main() {
  const names = process.argv.slice(2)
  const usual = ['gpt2', 'qwen3', 'llama-3.2-1b-instruct', 'llama-2'].map(
    (name) => `${DATA}/tokenizers/${name}`,
  )
  const cacheFolder = mkdtempSync(join(tmpdir(), 'spout-bench-'))
  try {
    for (const folder of (names.length > 0 ? names : usual).map((name) => resolve(name))) {
      ;(await loadPreparedTokenizer(folder, { cacheFolder })).prepare()
      reportLoading(folder, cacheFolder)
      await reportEncoding(folder, cacheFolder)
    }
  } finally {
    rmSync(cacheFolder, { recursive: true })
  }
}

function reportLoading(folder, cacheFolder) {
  const arms = { 'nothing loaded': ['', ''], 'tokenizer.json': [folder, ''], prepared: [folder, cacheFolder] }
  const results = Object.fromEntries(Object.keys(arms).map((name) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, args] of Object.entries(arms)) results[name].push(fresh(args))
  }
  for (const [name, list] of Object.entries(results)) {
    const of = (key) => median(list.map((result) => result[key])).toFixed(1)
    const times = `load ${of('load')} ms, first ${of('first')} ms, cpu ${of('cpu')} ms`
    console.log(`${basename(folder)}, ${name}: ${times}, RSS ${of('rss')} MiB, heap ${of('heap')} MiB`)
  }
}

function fresh(args) {
  return JSON.parse(
    execFileSync(process.execPath, [fileURLToPath(import.meta.url), '--child', ...args], {
      encoding: 'utf8',
    }),
  )
}

/** Reads a text's name, encodes the text, and says how many ids in how many milliseconds. */
const RUST = `
import sys, time
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(sys.argv[1] + '/tokenizer.json')
prose = open(sys.argv[2], encoding='utf8', newline='').read()[100_000:300_000]
texts = {'prose': prose, 'letters': 'a' * 1_000_000}
print('ready', flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    ids = tokenizer.encode(texts[line.strip()]).ids
    print(len(ids), (time.perf_counter() - start) * 1000, flush=True)
`

async function reportEncoding(folder, cacheFolder) {
  const corpus = `${DATA}/corpora/war-and-peace.txt`
  const prose = readFileSync(corpus, 'utf8').slice(100_000, 300_000)
  const texts = { prose, letters: 'a'.repeat(1_000_000) }
  const { tokenizer } = await loadPreparedTokenizer(folder, { cacheFolder })
  const rust = await openRust(folder, corpus)
  for (const [name, text] of Object.entries(texts)) {
    const ours = []
    const theirs = []
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now()
      const { length } = tokenizer.encode(text)
      ours.push(performance.now() - start)
      const [count, ms] = (await rust?.(name)) ?? []
      if (rust && count !== length) throw new Error(`${length} ids, and ${count} of the Rust library`)
      theirs.push(ms)
    }
    const beside = rust
      ? ` : ${median(theirs).toFixed(0)} = ${(median(theirs) / median(ours)).toFixed(1)}x (first ${ours[0].toFixed(0)} : ${theirs[0].toFixed(0)})`
      : ''
    console.log(`${basename(folder)}, encode ${name}: ${median(ours).toFixed(0)}${beside} ms`)
  }
  rust?.close()
}

async function openRust(folder, corpus) {
  const env = { ...process.env, TOKENIZERS_PARALLELISM: 'false' }
  const python = spawn('python3', ['-c', RUST, folder, corpus], { env, stdio: ['pipe', 'pipe', 'ignore'] })
  const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]()
  if ((await lines.next()).value !== 'ready') return undefined
  const ask = async (name) => {
    python.stdin.write(`${name}\n`)
    return (await lines.next()).value.split(' ').map(Number)
  }
  return Object.assign(ask, { close: () => python.stdin.end() })
}

if (process.argv[2] === '--child') await child(process.argv[3], process.argv[4])
else await main()
