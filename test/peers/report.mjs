/** The measured samples as Markdown: what was run, one table of figures per shape, one of ratios beside what is wanted. */
import { firstDifference, median, speedup, typical } from './statistics.mjs'

const NAMES = {
  spout: 'spout',
  'spout#unprepared': 'spout, unprepared',
  'spout#sampling': 'spout, sampling',
  'spout#avx-vnni': 'spout, AVX-VNNI',
  'spout#avx2': 'spout, AVX2',
  'spout#none': "spout, ONNX Runtime's kernels",
  'bare-c-api': 'bare C API',
  'bare-c-api#again': 'bare C API again',
  'node-session': 'onnxruntime-node',
  'transformers-js': 'transformers.js',
  'node-llama-cpp': 'node-llama-cpp',
}
/** An arm that has no better name has its own. */
const nameOf = (arm) => NAMES[arm] ?? arm
const FLOOR = 'bare-c-api'
const OURS = 'spout'
const MIB = 2 ** 20

/** What spout must reach: decode and prefill are times faster than the peer, memory is a share of the peer's. */
const TARGETS = [
  { what: 'decode', peer: 'bare-c-api', least: 0.97 },
  { ours: 'spout#sampling', what: 'decode', peer: 'bare-c-api', least: 0.97 },
  { ours: 'spout#unprepared', what: 'decode', peer: 'bare-c-api', least: 0.97 },
  { what: 'decode', peer: 'transformers-js', at: 128, least: 2 },
  { what: 'decode', peer: 'transformers-js', at: 1024, least: 5 },
  { what: 'decode', peer: 'node-session', at: 128, least: 1.3 },
  { what: 'decode', peer: 'node-session', at: 1024, least: 2 },
  { what: 'decode', peer: 'node-llama-cpp', least: 1 },
  { what: 'prefill', peer: 'node-llama-cpp', least: 1 },
  { ours: 'spout#avx2', shape: 'smollm2-135m', what: 'decode', peer: 'node-llama-cpp', least: 1.5 },
  { ours: 'spout#avx2', shape: 'qwen2.5-0.5b', what: 'decode', peer: 'node-llama-cpp', least: 1.4 },
  { ours: 'spout#avx2', what: 'prefill', peer: 'node-llama-cpp', least: 1.3 },
  { what: 'rss', peer: 'transformers-js', most: 0.6 },
  { what: 'rss', peer: 'node-llama-cpp', most: 0.8 },
]

export function markdown({ machine, command, loads, options, shapes }) {
  const lines = [...header({ machine, command, loads, options }), '']
  for (const [name, { results, sizes }] of Object.entries(shapes)) {
    lines.push(`### ${name} shape`, '', ...figures(results), '', ...notes(results, sizes), '')
    if (results.decode && OURS in results.versions) lines.push(...ratios(name, results), '')
    lines.push(...aaLines(results), ...failureLines(results))
  }
  return `${lines.join('\n').trimEnd()}\n`
}

function header({ machine, command, loads, options }) {
  const quota = machine.quota && !machine.quota.startsWith('max') ? `, cgroup quota ${machine.quota}` : ''
  return [
    `- Machine: ${machine.cpu}, ${machine.cpus} CPUs${quota}, ${machine.memory}, ${machine.system}, Node ${machine.node}`,
    `- Command: \`${command}\`${machine.commit ? `, commit ${machine.commit}` : ''}, ${loads.date}`,
    `- Load average before and after: ${loads.before.join(' ')} and ${loads.after.join(' ')}`,
    `- ${options.threads} threads in every arm; ${options.processes} processes an arm; medians over them of each one's median of ${options.rounds * 2} decode samples of ${options.tokens} tokens ` +
      `and ${options.prefillRounds * 2} prefill samples; load and memory of ${options.freshRounds} more; taken in shuffled ABBA blocks (seed ${options.seed}) after a warm-up`,
  ]
}

function figures(results) {
  const arms = armsOf(results)
  const table = [['', ...arms.map(nameOf)]]
  const add = (title, samples, format) => {
    const cells = arms.map((arm) => (samples[arm]?.length ? format(samples[arm]) : '–'))
    if (cells.some((cell) => cell !== '–')) table.push([title, ...cells])
  }
  add('load, ms', results.load, (ms) => median(ms).toFixed(0))
  for (const length of Object.keys(results.prefill).map(Number)) {
    add(`prefill ${number(length)}, tok/s`, results.prefill[length], (ms) =>
      spread(ms, (value) => (length / value) * 1000, 0),
    )
  }
  for (const context of Object.keys(results.decode).map(Number)) {
    add(`decode at ${number(context)}, tok/s`, results.decode[context], (ms) =>
      spread(ms, (value) => 1000 / value, 1),
    )
    add(`decode at ${number(context)}, ms/token`, results.decode[context], (ms) => typical(ms).toFixed(2))
  }
  add('peak RSS, 1,024-token prompt, MiB', results.rss, (bytes) => (median(bytes) / MIB).toFixed(0))
  add('peak RSS, 3,500-token prompt, MiB', results.longRss, (bytes) => (median(bytes) / MIB).toFixed(0))
  return tableLines(table)
}

/** Every arm of which there is a figure, in the order of the names. */
function armsOf(results) {
  const found = new Set(rowsOf(results).flatMap((row) => Object.keys(row)))
  return [
    ...Object.keys(NAMES).filter((arm) => found.has(arm)),
    ...[...found].filter((arm) => !(arm in NAMES)),
  ]
}

const rowsOf = (results) => [
  results.load,
  ...Object.values(results.prefill),
  ...Object.values(results.decode),
]

/** The figure and, in brackets, the slowest and the fastest process, as rates. */
function spread(ms, rate, digits) {
  const rates = ms.map((samples) => rate(median(samples)))
  return `${rate(typical(ms)).toFixed(digits)} (${Math.min(...rates).toFixed(digits)}–${Math.max(...rates).toFixed(digits)})`
}

function notes(results, sizes) {
  const lines = []
  for (const [context, ids] of Object.entries(results.ids)) {
    if (!ids[FLOOR]) continue
    const said = Object.keys(ids)
      .filter((arm) => arm !== FLOOR && arm !== 'spout#sampling')
      .map((arm) => agreement(arm, ids[FLOOR], ids[arm]))
    lines.push(`- Greedy ids beside the bare loop's at ${number(Number(context))}: ${said.join(', ')}`)
  }
  const [short, long] = [results.rss[OURS], results.longRss[OURS]]
  if (short && long) {
    const grown = (long[0] - median(short)) / MIB
    const tokens = 3500 - 1024
    lines.push(
      `- From 1,024 to 3,500 tokens spout grows by ${grown.toFixed(0)} MiB; ${number(tokens)} more tokens of fp32 KV are ` +
        `${((tokens * sizes.kvBytes) / MIB).toFixed(0)} MiB, their logits would be ${((tokens * sizes.vocab * 4) / MIB).toFixed(0)} MiB`,
    )
  }
  const versions = Object.entries(Object.assign({}, ...Object.values(results.versions)))
  lines.push(`- Versions: ${versions.map(([name, version]) => `${name} ${version}`).join(', ')}`)
  return lines
}

function agreement(arm, floor, ids) {
  const at = firstDifference(floor, ids)
  return `${nameOf(arm)} ${at < 0 ? `all ${ids.length} equal` : `differ from the ${at + 1}. on`}`
}

function ratios(name, results) {
  const table = [['', 'beside', 'figure', 'wanted', 'seen', '95 % interval', '']]
  for (const { ours = OURS, shape = name, what, peer, at, least, most } of TARGETS) {
    if (shape !== name) continue
    const samples = what === 'rss' ? { 1024: results.rss } : results[what]
    for (const [length, arms] of Object.entries(samples)) {
      if ((at !== undefined && at !== Number(length)) || !arms[ours] || !arms[peer]) continue
      const title = what === 'rss' ? 'peak RSS, 1,024-token prompt' : `${what} at ${number(Number(length))}`
      const seen = what === 'rss' ? share(arms[ours], arms[peer]) : speedup(arms[ours], arms[peer])
      const wanted = least === undefined ? `≤ ${most}` : `≥ ${least}`
      const range = rangeOf(seen)
      table.push([
        nameOf(ours),
        nameOf(peer),
        title,
        wanted,
        seen.ratio.toFixed(3),
        range,
        verdictOf(seen, { least, most }),
      ])
    }
  }
  return table.length > 1 ? tableLines(table) : []
}

/** A target is met when all of the interval is: what was seen may else be the luck of two or three processes. */
function verdictOf({ ratio, low, high }, { least, most }) {
  const reaches = (value) => (least === undefined ? value <= most : value >= least)
  if (!reaches(ratio)) return 'not met'
  if (low === undefined) return 'seen; no interval'
  return reaches(least === undefined ? high : low) ? 'met' : 'seen; the interval reaches beyond'
}

const rangeOf = ({ low, high }) => (low === undefined ? '' : `${low.toFixed(3)}–${high.toFixed(3)}`)

const share = (ours, theirs) => ({ ratio: median(ours) / median(theirs) })

/** The noise: the bare loop beside itself in as many processes, paired in the same blocks. */
function aaLines(results) {
  const again = `${FLOOR}#again`
  const said = Object.entries(results.decode)
    .filter(([, arms]) => arms[FLOOR] && arms[again])
    .map(([context, arms]) => {
      const seen = speedup(arms[FLOOR], arms[again])
      return `${seen.ratio.toFixed(3)} (${rangeOf(seen)}) at ${number(Number(context))}`
    })
  return said.length
    ? [`The bare loop beside itself, which is the noise of this run: ${said.join(', ')}.`, '']
    : []
}

function failureLines(results) {
  const entries = Object.entries(results.failures)
  return entries.length
    ? [...entries.map(([arm, why]) => `- ${nameOf(arm)} left out: ${why.split('\n')[0]}`), '']
    : []
}

function tableLines([head, ...rows]) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)]
}

const number = (value) => value.toLocaleString('en-US')
