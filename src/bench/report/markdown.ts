/** The report for people: tables that can be pasted, and what must be known to read them. */
import { FOREIGN_SHARE } from '../machine-load.ts'
import { noiseFloor, verdictText } from '../statistics/verdict.ts'
import { environmentLines } from './environment-lines.ts'
import type { IdsAgreement } from './ids-agreement.ts'
import { mib, percentOf, plain, probability, share, signed, whole } from './numbers.ts'
import type { AgainstRow, ArmRow, BenchReport, ComparisonRow } from './report.ts'

export function markdown(report: BenchReport): string {
  const parts = [
    [headline(report)],
    environmentLines(report),
    report.rows.length === 0 ? [] : table(COMPARISON_HEAD, report.rows.map(comparisonCells)),
    noteLines(report),
    table(FIGURE_HEAD, report.arms.map(figureCells)),
    armLines(report),
    againstPart(report),
  ]
  return `${parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`
}

function headline({ run }: BenchReport): string {
  const { ended, plan } = run
  if (ended.how === 'complete') return '# spout --bench'
  const taken = Math.max(0, ...run.samples.map(({ pair }) => pair + 1))
  const why = ended.how === 'failed' ? `failed: ${(ended.why as Error).message}` : 'incomplete: interrupted'
  return `# spout --bench (${why}; pair ${taken} of ${plan.pairs})`
}

const COMPARISON_HEAD = [
  'arm',
  'beside',
  'pairs',
  'ms per request',
  'ms beside',
  'difference',
  '95 % interval',
  'ms more',
  'p',
  'p (Holm)',
  'verdict',
  'ids',
]

function comparisonCells({ spec, pairs, marked, extraMs, judged, ids, medians }: ComparisonRow): string[] {
  const { comparison, p, verdict } = judged ?? {}
  return [
    spec.arm.name,
    spec.beside.name,
    marked === 0 ? `${pairs.length}` : `${pairs.length} (${marked} marked)`,
    plain(medians?.arm),
    plain(medians?.beside),
    percentOf(comparison?.difference),
    comparison === undefined ? '–' : comparison.interval.map(percentOf).join(' to '),
    extraMs === undefined ? '–' : `${signed(extraMs.mean)} (${extraMs.interval.map(signed).join(' to ')})`,
    `${probability(comparison?.p)}${comparison?.exact === false ? ' (drawn)' : ''}`,
    probability(p),
    verdict === undefined ? 'too few pairs' : verdictText(verdict),
    idsText(ids),
  ]
}

function idsText(ids: IdsAgreement): string {
  if (ids.how === 'same') return 'the same'
  if (ids.how === 'differ') return `differ from token ${ids.at} on`
  return ids.how === 'vary' ? `${ids.arm}: not the same every time` : '–'
}

function noteLines({ noise, rows, run }: BenchReport): string[] {
  const lines: string[] = []
  const spec = run.plan.comparisons.find((each) => each.noise)
  if (spec !== undefined && noise !== undefined) {
    lines.push(
      `- Noise floor, ${spec.beside.name} beside itself in the same blocks: ${percentOf(noise.difference)} ` +
        `(95 % interval ${noise.interval.map(percentOf).join(' to ')}, p ${probability(noise.p)}). ` +
        `A difference below ${percentOf(noiseFloor(noise)).slice(1)} is not called one.`,
    )
  }
  const marked = rows.reduce((sum, row) => sum + row.marked, 0)
  if (marked > 0) {
    const limit = `${100 * FOREIGN_SHARE} %`
    lines.push(
      `- Marked pairs were taken while others used more than ${limit} of the machine. They count all the same.`,
    )
  }
  return lines
}

const FIGURE_HEAD = [
  'arm',
  'samples',
  'load, ms',
  'prefill, tok/s',
  'TTFT, ms',
  'decode, ms per token',
  'p95',
  'sampling',
  'text',
  'ms per request',
  'peak RSS, MiB',
  'allocated, bytes per token',
]

function figureCells({ spec, samples, figures }: ArmRow): string[] {
  return [
    spec.name,
    `${samples}`,
    plain(figures.loadMs),
    plain(figures.prefillTps),
    plain(figures.ttftMs),
    plain(figures.decodeMs),
    plain(figures.decodeP95Ms),
    share(figures.samplingShare),
    share(figures.textShare),
    plain(figures.requestMs),
    mib(figures.peakRssBytes),
    whole(figures.allocatedPerToken),
  ]
}

function armLines({ arms }: BenchReport): string[] {
  return arms.map(({ spec }) => `- ${spec.name}: ${spec.standsFor}`)
}

const AGAINST_HEAD = ['arm', 'then, ms', 'now, ms', 'difference', '95 % interval', 'p (Holm)', 'verdict', '']

function againstPart({ against }: BenchReport): string[] {
  if (against.length === 0) return []
  return [
    'Not interleaved: beside saved samples of another time. What the machine did then and does now is part of the difference.',
    '',
    ...table(AGAINST_HEAD, against.map(againstCells)),
  ]
}

function againstCells({ arm, nowMs, thenMs, judged, sameIds, sameModel }: AgainstRow): string[] {
  const remarks = [sameModel ? '' : 'another model file', sameIds ? '' : 'other ids'].filter(Boolean)
  return [
    arm,
    plain(thenMs),
    plain(nowMs),
    percentOf(judged?.comparison.difference),
    judged === undefined ? '–' : judged.comparison.interval.map(percentOf).join(' to '),
    probability(judged?.p),
    judged === undefined ? 'too few samples' : verdictText(judged.verdict).replace('pairs', 'samples'),
    remarks.join(', '),
  ]
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(escaped).join(' | ')} |`
  return [line(head), `| --- |${' ---: |'.repeat(head.length - 1)}`, ...rows.map(line)]
}

const escaped = (cell: string): string => cell.replaceAll('|', '\\|')
