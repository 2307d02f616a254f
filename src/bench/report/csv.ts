/** One line per sample, for spreadsheets and data frames. */
import type { Figures } from '../figures.ts'
import type { BenchReport } from './report.ts'

const FIGURES: readonly (readonly [keyof Figures, string])[] = [
  ['promptTokens', 'prompt_tokens'],
  ['tokens', 'tokens'],
  ['requestMs', 'request_ms'],
  ['loadMs', 'load_ms'],
  ['prefillMs', 'prefill_ms'],
  ['prefillTps', 'prefill_tps'],
  ['ttftMs', 'ttft_ms'],
  ['decodeMs', 'decode_ms'],
  ['decodeP95Ms', 'decode_p95_ms'],
  ['samplingShare', 'sampling_share'],
  ['textShare', 'text_share'],
  ['peakRssBytes', 'peak_rss_bytes'],
  ['allocatedPerToken', 'allocated_bytes_per_token'],
]

export function csv({ run }: BenchReport): string {
  const head = ['arm', 'of', 'side', 'pair', 'at', 'requests', 'foreign_share', 'ids_hash', 'run']
  const lines = run.samples.map(({ arm, of, side, pair, at, times, foreignShare, idsHash, figures }) => [
    ...[arm, of, side, pair, at, times.length, foreignShare, idsHash, run.ended.how],
    ...FIGURES.map(([name]) => figures[name] ?? ''),
  ])
  return [[...head, ...FIGURES.map(([, name]) => name)], ...lines]
    .map((cells) => `${cells.map(quoted).join(',')}\n`)
    .join('')
}

/** RFC 4180. */
function quoted(cell: string | number): string {
  const text = String(cell)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
