/** The samples of starts as Markdown: one table of figures, one of ratios beside what is wanted. */
import { median } from '../statistics.mjs'

const MIB = 2 ** 20

/** What must be reached: the median of `ours` is at most `most` times that of `theirs`. */
const TARGETS = [
  { what: 'first', ours: 'spout model', theirs: 'before model', most: 0.5 },
  { what: 'first', ours: 'spout model', theirs: 'node-llama-cpp', most: 0.5 },
  { what: 'first', ours: 'spout model', theirs: 'transformers-js', most: 0.3 },
  { what: 'whole', ours: 'spout embedded', theirs: 'node', most: 3 },
  { what: 'memory', ours: 'spout model', theirs: 'spout unprepared', most: 1 },
  { what: 'memory', ours: 'spout model', theirs: 'before model', most: 1 },
  { what: 'first', ours: 'spout model', theirs: 'spout unprepared', most: 1 },
]
const TITLES = { first: 'first byte', whole: 'whole run', memory: 'peak memory' }

export function markdown({ machine, command, loads, options, results, failures }) {
  const lines = [
    `- Machine: ${machine.cpu}, ${machine.cpus} CPUs, ${machine.memory}, ${machine.system}, Node ${machine.node}`,
    `- Command: \`${command}\`${machine.commit ? `, commit ${machine.commit}` : ''}, ${loads.date}`,
    `- Load average before and after: ${loads.before.join(' ')} and ${loads.after.join(' ')}`,
    `- Fresh processes, each arm once a round in shuffled order (seed ${options.seed}), ${options.rounds} rounds after ` +
      `${options.warmups} of warm-up; ${options.threads} threads; medians (fastest–slowest)`,
    '',
    ...figures(results),
    '',
    ...ratios(results),
    ...Object.entries(failures).map(([name, message]) => `- left out: ${name}: ${message}`),
  ]
  return `${lines.join('\n').trimEnd()}\n`
}

function figures(results) {
  const rows = Object.entries(results).map(([name, { first, whole, memory }]) => [
    name,
    spread(first),
    spread(whole),
    memory.length === 0 ? '–' : (median(memory) / MIB).toFixed(0),
  ])
  return table([['', 'first byte, ms', 'whole run, ms', 'peak memory, MiB'], ...rows])
}

function spread(samples) {
  if (samples.length === 0) return '–'
  const [low, high] = [Math.min(...samples), Math.max(...samples)].map((ms) => ms.toFixed(0))
  return `${median(samples).toFixed(0)} (${low}–${high})`
}

/** Ratios of medians, beside the median of the same ratio taken round by round: a drift of the machine moves both alike. */
function ratios(results) {
  const rows = []
  for (const { what, ours, theirs, most } of TARGETS) {
    const [a, b] = [results[ours]?.[what] ?? [], results[theirs]?.[what] ?? []]
    if (a.length === 0 || b.length === 0) continue
    const ratio = median(a) / median(b)
    const perRound = median(a.map((value, round) => value / b[round]).filter(Number.isFinite))
    const verdict = ratio <= most ? 'reached' : 'missed'
    const title = `${TITLES[what]}: ${ours} / ${theirs}`
    rows.push([title, ratio.toFixed(2), perRound.toFixed(2), `≤ ${most}`, verdict])
  }
  return rows.length === 0 ? [] : table([['', 'ratio', 'round by round', 'wanted', ''], ...rows])
}

function table([head, ...rows]) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)]
}
