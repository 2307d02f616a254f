/** P(yes) of lines: the question about each of them, asked of an engine, and what labelled lines make of the answers. */
import type { LineText } from '../../batch/line-text.ts'
import type { Engine } from '../../engine/engine.ts'
import { makeRequest, type RequestInput } from '../../engine/request.ts'
import { type Calibration, fitTemperature, fitThreshold } from '../../scoring/calibrate.ts'
import { parseLabelled } from '../../scoring/labelled.ts'
import { type LineQuestion, yesProbability, yesScore } from '../../scoring/yes-no.ts'
import { readText } from '../prompt-source.ts'
import { requestOptions } from '../request-from-flags.ts'
import type { LineOptions } from '../scoring-flags.ts'
import { writeLine } from '../terminal/messages.ts'

export interface LineScore {
  readonly probability: number
  /** Tokens that were computed for it. */
  readonly tokens: number
}

export interface LineJudge {
  readonly calibration: Calibration | undefined
  /** A blank line says nothing, and is not asked about. */
  judge(line: Pick<LineText, 'text'>, signal: AbortSignal): Promise<LineScore>
}

interface JudgeParts {
  readonly engine: Engine
  readonly options: LineOptions
  readonly questionOf: (form: { readonly isChat: boolean }) => LineQuestion
  readonly signal: AbortSignal
}

/** @throws SpoutError for labelled lines that are none, and as the engine does */
export async function openLineJudge(parts: JudgeParts): Promise<LineJudge> {
  const { options, signal } = parts
  const ask = await makeAsk(parts)
  const calibration =
    options.calibrate === undefined ? undefined : await calibrate(options.calibrate, ask, signal)
  return {
    calibration,
    async judge({ text }, lineSignal) {
      if (text.trim() === '') return { probability: 0, tokens: 0 }
      const { score, tokens } = await ask(text, lineSignal)
      return { probability: yesProbability(score, calibration?.temperature), tokens }
    },
  }
}

type Ask = (text: string, signal: AbortSignal) => Promise<{ readonly score: number; readonly tokens: number }>

async function makeAsk({ engine, options, questionOf }: JudgeParts): Promise<Ask> {
  const system = options.systemFile === undefined ? options.system : await readText(options.systemFile)
  const base: Omit<RequestInput, 'prompt'> = { ...requestOptions(options), system }
  const question = questionOf({ isChat: engine.model.hasChatTemplate && !options.raw })
  const requestOf = (text: string) => makeRequest({ ...base, prompt: question.prompt(text) })
  const empty = requestOf('')
  return async (text, signal) => {
    const asked = { request: requestOf(text), empty, prior: false, wholeAnswer: false }
    const result = await engine.choose({ ...asked, choices: question.choices }, { signal })
    return { score: yesScore(result.choices), tokens: result.promptTokens - result.keptTokens }
  }
}

const LABELS: Readonly<Record<string, number>> = { yes: 1, no: 0, true: 1, false: 0, 1: 1, 0: 0 }

async function calibrate(file: string, ask: Ask, signal: AbortSignal): Promise<Calibration> {
  const labels = Object.keys(LABELS)
  const labelOf = (word: string): number => LABELS[word.toLowerCase()] ?? -1
  const examples = parseLabelled(await readText(file), { name: file, labels, labelOf })
  const asked = await Promise.all(examples.map(({ text }) => ask(text, signal)))
  const scored = asked.map(({ score }, i) => ({ scores: [0, score], label: examples[i]!.label }))
  const temperature = fitTemperature(scored)
  const judged = scored.map(({ scores, label }) => ({
    confidence: yesProbability(scores[1]!, temperature),
    isRight: label === 1,
  }))
  return { temperature, threshold: fitThreshold(judged, 0.5), examples: examples.length }
}

/** Whether what is told are probabilities, on stderr. */
export function noteCalibration(calibration: Calibration | undefined): void {
  writeLine(calibrationText(calibration))
}

export function calibrationText(calibration: Calibration | undefined): string {
  if (calibration === undefined)
    return 'not calibrated: P tells which is likelier, not how often it is right; --calibrate FILE fits it'
  const { temperature, threshold, examples } = calibration
  const from = Number.isFinite(threshold) ? threshold.toPrecision(3) : 'none'
  return `calibrated on ${examples} lines: temperature ${temperature.toPrecision(3)}, threshold ${from}`
}
