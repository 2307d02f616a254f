import { benchstat } from './benchstat.ts'
import { csv } from './csv.ts'
import { json } from './json.ts'
import { markdown } from './markdown.ts'
import type { BenchReport } from './report.ts'

const FORMATS = { md: markdown, json, csv, benchstat } as const

/** The text of a report in one of its formats. */
export function writeReport(report: BenchReport, format: keyof typeof FORMATS): string {
  return FORMATS[format](report)
}
