/** The distributions as a picture: a row per arm, a dot per sample, the median, and the 95 % interval of the mean. */

import { FOREIGN_SHARE } from '../machine-load.ts'
import type { Sample } from '../sample.ts'
import { summarize } from '../statistics/comparison.ts'
import { median } from '../statistics/summary.ts'
import { type Axis, makeAxis } from './plot-axis.ts'
import type { ArmRow, BenchReport } from './report.ts'

const WIDTH = 820
const LEFT = 190
const RIGHT = 70
const TOP = 64
const ROW = 44
const BOTTOM = 48

export function plotSvg(report: BenchReport): string {
  const { run } = report
  const arms = report.arms.filter(({ samples }) => samples > 0)
  const times = run.samples.map(({ figures }) => figures.requestMs)
  const axis = makeAxis(times, { from: LEFT, to: WIDTH - RIGHT })
  const height = TOP + ROW * arms.length + BOTTOM
  const rows = arms.map((arm, i) => armRow(arm, { axis, samples: run.samples, y: TOP + ROW * (i + 0.5) }))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${xml(titleOf(report))}</title>`,
    STYLE,
    `<rect class="page" width="${WIDTH}" height="${height}"/>`,
    `<text class="title" x="16" y="26">${xml(titleOf(report))}</text>`,
    `<text class="small" x="16" y="46">${xml(legendOf(report))}</text>`,
    ...axisParts(axis, height - BOTTOM),
    ...rows,
    '</svg>',
    '',
  ].join('\n')
}

/** Whether a text begins as these pictures do. */
export function isPlot(text: string): boolean {
  return text.startsWith('<svg ') && text.includes('<rect class="page"')
}

/** The page may be light or dark; the picture brings its own background for both. */
const STYLE = `<style>
  .page { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, sans-serif }
  .title { font-size: 15px; font-weight: 600 } .small { font-size: 11px; fill: #59636e }
  .line { stroke: #d1d9e0 } .dot { fill: #0969da; fill-opacity: .45 } .marked { fill: none; stroke: #0969da }
  .median { stroke: #bc4c00; stroke-width: 2.5 } .interval { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #f0f6fc } .small { fill: #9198a1 } .line { stroke: #3d444d }
    .dot { fill: #4493f8 } .marked { stroke: #4493f8 } .median { stroke: #f0883e } .interval { stroke: #f0f6fc }
  }
</style>`

function titleOf({ run }: BenchReport): string {
  const [arm] = run.environment.arms
  const what = `ms per request of ${run.plan.task.tokens} tokens, ${arm?.model.id} (${arm?.model.dtype})`
  return run.ended.how === 'complete' ? what : `${what}: ${run.ended.how}, incomplete`
}

function legendOf({ run }: BenchReport): string {
  const marked = run.samples.some(isMarked) ? '; hollow: under foreign load' : ''
  return `a dot per sample${marked}; thick line: median; bar: 95 % interval of the geometric mean; logarithmic axis`
}

function axisParts(axis: Axis, bottom: number): string[] {
  return axis.ticks.flatMap((tick) => [
    `<line class="line" x1="${axis.place(tick)}" x2="${axis.place(tick)}" y1="${TOP}" y2="${bottom}"/>`,
    `<text class="small" text-anchor="middle" x="${axis.place(tick)}" y="${bottom + 18}">${tick}</text>`,
  ])
}

interface RowPlace {
  readonly axis: Axis
  readonly samples: readonly Sample[]
  readonly y: number
}

function armRow({ spec }: ArmRow, { axis, samples, y }: RowPlace): string {
  const ours = samples.filter(({ arm }) => arm === spec.name)
  const times = ours.map(({ figures }) => figures.requestMs)
  const middle = axis.place(median(times)!)
  return [
    `<g><text text-anchor="end" x="${LEFT - 12}" y="${y + 4}">${xml(spec.name)}</text>`,
    ...ours.map((sample, i) => dot(sample, axis.place(sample.figures.requestMs), y + spreadOf(i))),
    intervalBar(times, axis, y),
    `<line class="median" x1="${middle}" x2="${middle}" y1="${y - 13}" y2="${y + 13}"/></g>`,
  ].join('')
}

/** Dots of equal times must not hide one another. */
function spreadOf(index: number): number {
  return ((index * 7) % 11) - 5
}

function dot(sample: Sample, x: number, y: number): string {
  return `<circle class="${isMarked(sample) ? 'marked' : 'dot'}" cx="${x}" cy="${y}" r="3"/>`
}

function intervalBar(times: readonly number[], axis: Axis, y: number): string {
  const summary = summarize(times.map(Math.log))
  if (summary === undefined) return ''
  const [from, to] = summary.interval.map((end) => axis.place(axis.clamp(Math.exp(end))))
  return `<path class="interval" fill="none" d="M${from} ${y + 11}v6M${from} ${y + 14}H${to}M${to} ${y + 11}v6"/>`
}

const isMarked = ({ foreignShare }: Sample): boolean => foreignShare > FOREIGN_SHARE

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Text of XML: what it cannot hold even escaped is left out. */
function xml(text: string): string {
  return text.replaceAll(/[\x00-\x08\x0b\x0c\x0e-\x1f]/g, '').replaceAll(/[&<>"]/g, (char) => ENTITIES[char]!)
}
