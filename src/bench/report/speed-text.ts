import { runsText, samplingText } from '../../output/run-facts.ts'
import { bytesText, durationText } from '../../system/quantities.ts'
import { escapeText } from '../../system/text-display.ts'
import type { ModelSpeed } from '../model-speed.ts'

/** How fast a model is here, as lines for people: aligned on a terminal, a table of Markdown elsewhere. */
export function speedText(
  { model, lengths, firstByteMs, peakRssBytes }: ModelSpeed,
  isTerminal: boolean,
): string {
  const rate = (value: number): string => `${value >= 100 ? Math.round(value) : value.toFixed(1)} tokens/s`
  const rows: (readonly [string, string])[] = [
    ...lengths.map(
      ({ promptTokens, prefillTps }) => [`prefill of ${promptTokens} tokens`, rate(prefillTps)] as const,
    ),
    ...lengths.map(
      ({ promptTokens, decodeTps }) => [`decode after ${promptTokens} tokens`, rate(decodeTps)] as const,
    ),
    ...(firstByteMs === undefined
      ? []
      : [['first byte of a fresh process', durationText(firstByteMs)] as const]),
    ...(peakRssBytes === undefined ? [] : [['its memory at most', bytesText(peakRssBytes)] as const]),
  ]
  const how = [runsText(model.runs), 'no template', samplingText({ sampling: {} })].join('; ')
  const title = escapeText(`${model.id} (${model.dtype}): ${how}`)
  return `${[title, '', ...(isTerminal ? aligned(rows) : markdownTable(rows))].join('\n')}\n\n`
}

function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.max(...rows.map(([name]) => name.length))
  const right = Math.max(...rows.map(([, value]) => value.length))
  return rows.map(([name, value]) => `  ${name.padEnd(left)}  ${value.padStart(right)}`)
}

function markdownTable(rows: readonly (readonly [string, string])[]): string[] {
  return ['| here | |', '| --- | ---: |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)]
}
