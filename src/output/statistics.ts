/** The block of `--stats`, for people. */
import type { Engine, EngineResult, Settled } from '../engine/engine.ts'
import { bytesText, durationText } from '../system/quantities.ts'
import { escapeText } from '../system/text-display.ts'
import type { Measurements } from './measurements.ts'
import { refusedLines, runsText, samplingText, templateText, workerOf } from './run-facts.ts'

interface StatisticsInput {
  readonly engine: Engine
  readonly result: EngineResult
  readonly measured: Measurements
  readonly peakRssBytes: number
  /** In a conversation: what was run for this request between the one before and it. */
  readonly settled?: Settled
}

export function statisticsLines({
  engine,
  result,
  measured,
  peakRssBytes,
  settled,
}: StatisticsInput): string[] {
  const { id, dtype, runs } = engine.model
  const { drafts } = result
  return [
    `model     ${escapeText(id)} (${dtype}), loaded after ${durationText(measured.loadMs)}`,
    `runs      ${escapeText(runsText(runs))}`,
    ...refusedLines(runs).map((line) => `          ${escapeText(line)}`),
    `template  ${templateText({ ...engine.model, ...result })}`,
    `sampling  ${runs.device === 'remote' ? 'as asked for, the rest as the server has it' : samplingText(result)}`,
    `prompt    ${promptText(result, measured)}`,
    ...(settled?.tokens
      ? [`settled   ${count(settled.tokens)} before it, in ${durationText(settled.ms)}`]
      : []),
    `first     ${measured.ttftMs === undefined ? 'no output' : `byte after ${durationText(measured.ttftMs)}`}`,
    `output    ${outputText(result, measured)}`,
    ...(drafts?.drafted
      ? [`drafts    ${drafts.accepted} of ${drafts.drafted} guesses accepted, ${drafts.steps} steps`]
      : []),
    ...structureLines(result),
    `memory    ${bytesText(peakRssBytes)} at most${workerOf(runs) === undefined ? '' : ' here; the model is in the worker'}`,
    `seed      ${engine.promises.seeds ? result.seed : 'not promised by a server'}`,
    `finish    ${result.finishReason}`,
  ]
}

function promptText(result: EngineResult, { prefillMs, prefillTps }: Measurements): string {
  const { promptTokens, keptTokens, isUncounted } = result
  const tokens = isUncounted ? 'not counted' : count(promptTokens - keptTokens)
  return `${tokens} in ${durationText(prefillMs)}${perSecond(prefillTps)}${keptText(result)}`
}

function outputText(result: EngineResult, measured: Measurements): string {
  const { completionTokens, isUncounted } = result
  if (isUncounted) return `not counted, in ${durationText(measured.decodeMs)}`
  return `${count(completionTokens)}${decodeText(result, measured)}`
}

/** Those that were not computed, and what it took to read them. */
function keptText({ keptTokens, fromDisk }: EngineResult): string {
  if (keptTokens === 0) return ''
  const read =
    fromDisk &&
    ` (${fromDisk.tokens} from disk: ${bytesText(fromDisk.bytes)} in ${durationText(fromDisk.ms)})`
  return `, ${keptTokens} kept from before${read ?? ''}`
}

/** What had to come, and how much of it was run ahead. */
function structureLines({ structure }: EngineResult): string[] {
  if (structure === undefined) return []
  const { forced, drafted, rejected } = structure
  const ahead = drafted === 0 ? '' : `, ${drafted} drafted, ${rejected} of them rejected`
  return [`structure ${count(forced)} without a choice${ahead}`]
}

function count(tokens: number): string {
  return tokens === 1 ? '1 token' : `${tokens} tokens`
}

/** The first token comes with the prompt: time and rate are of the others, and of the end token where there is one. */
function decodeText(
  { completionTokens, finishReason }: EngineResult,
  { decodeMs, decodeTps }: Measurements,
): string {
  if (completionTokens === 0) return ''
  if (decodeTps === undefined) return ', with the prompt'
  const others = finishReason === 'stop' ? 'the others and the end token' : 'all but the first'
  return `, ${others} in ${durationText(decodeMs)}${perSecond(decodeTps)}`
}

function perSecond(rate: number | undefined): string {
  return rate === undefined ? '' : `, ${rate.toFixed(1)} tokens/s`
}
