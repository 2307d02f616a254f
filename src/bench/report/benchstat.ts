/** Go's benchmark format, one line per sample: `benchstat -col /arm file` compares the arms. */
import type { Sample } from '../sample.ts'
import type { BenchReport } from './report.ts'

export function benchstat({ run }: BenchReport): string {
  const { environment, ended } = run
  const models = [
    ...new Set(environment.arms.map(({ model }) => `${model.id} ${model.dtype} ${model.sha256}`)),
  ]
  return [
    `goos: ${process.platform}`,
    `goarch: ${process.arch}`,
    `cpu: ${environment.cpu}`,
    `pkg: spout`,
    `node: ${environment.node}`,
    `onnxruntime: ${environment.onnxRuntime}`,
    `model: ${models.join(', ')}`,
    `run: ${ended.how}`,
    ...run.samples.map(sampleLine),
    '',
  ].join('\n')
}

function sampleLine({ arm, times, figures }: Sample): string {
  const units: readonly (readonly [number | null, string])[] = [
    [1e6 * figures.requestMs, 'ns/op'],
    [figures.prefillTps, 'prefill-tok/s'],
    [figures.ttftMs && 1e6 * figures.ttftMs, 'ttft-ns'],
    [figures.decodeMs && 1e6 * figures.decodeMs, 'ns/token'],
    [figures.allocatedPerToken, 'B/token'],
    [figures.peakRssBytes, 'peak-rss-bytes'],
  ]
  const values = units.filter(([value]) => value !== null).map(([value, unit]) => `${value} ${unit}`)
  return [`BenchmarkRequest/arm=${arm.replaceAll(/[\s/]+/g, '_')}`, times.length, ...values].join('\t')
}
