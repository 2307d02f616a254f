/** The document of `--choices --json`. */
import type { Engine } from '../engine/engine.ts'
import type { ChoiceResult } from '../engine/score-request.ts'
import type { Calibration } from '../scoring/calibrate.ts'
import type { Decision } from '../scoring/decide.ts'
import { modelFields } from './json-document.ts'
import { runsJson, templateJson } from './run-facts.ts'

export interface ChosenAnswer {
  readonly engine: Engine
  readonly result: ChoiceResult
  readonly decision: Decision
  /** What was written: the choice, or what stands for none. */
  readonly text: string
  readonly isUnsure: boolean
  readonly calibration: Calibration | undefined
}

export function choiceDocument({ engine, result, decision, text, isUnsure, calibration }: ChosenAnswer) {
  const { best, margin, choices } = decision
  return {
    ...modelFields(engine),
    text,
    choice: best.choice,
    probability: best.probability,
    margin,
    unsure: isUnsure,
    choices: choices.map(({ choice, probability, logprob, prior }) => ({
      ...{ choice, probability, logprob },
      prior: prior ?? null,
    })),
    calibration: calibration ?? null,
    runs: runsJson(engine.model.runs),
    template: templateJson({ ...engine.model, ...result }),
    usage: { prompt_tokens: result.promptTokens, completion_tokens: 0 },
  }
}
