/** `spout --choices a,b,c [prompt...]`: the likeliest of some answers, with its probability, and nothing written. */
import type { Engine } from '../../engine/engine.ts'
import { makeRequest, type RequestInput } from '../../engine/request.ts'
import type { ChoiceRequest, ChoiceResult } from '../../engine/score-request.ts'
import { choiceDocument } from '../../output/choice-document.ts'
import type { FileOutput } from '../../output/file-output.ts'
import { runsText } from '../../output/run-facts.ts'
import { type Calibration, fitTemperature, fitThreshold } from '../../scoring/calibrate.ts'
import { type Decision, decide } from '../../scoring/decide.ts'
import { parseLabelled } from '../../scoring/labelled.ts'
import { toJson } from '../../system/text-display.ts'
import { PARALLEL_ELSEWHERE } from '../batch/batch-engine.ts'
import { readChoices } from '../choice-flags.ts'
import type { Context } from '../context.ts'
import { engineOptions } from '../engine-options.ts'
import { abortable } from '../interrupt.ts'
import { readyNextRun } from '../next-run.ts'
import type { Options } from '../options.ts'
import { type PromptSource, readText } from '../prompt-source.ts'
import { serversOf } from '../remote/engine-flags.ts'
import { openServers } from '../remote/open-for.ts'
import { requestOptions } from '../request-from-flags.ts'
import { calibrationText } from '../scoring/line-judge.ts'
import { noteEmbedded } from '../terminal/embedded-note.ts'
import { writeLine } from '../terminal/messages.ts'
import { openStatusLine } from '../terminal/status-line.ts'
import { loadDim } from '../terminal/style.ts'
import { joinOrOpen } from '../worker/join-worker.ts'

export interface ChooseJob {
  readonly source: PromptSource
  /** Reads the whole prompt. */
  readonly readWhole: () => Promise<string>
  readonly options: Options
  readonly context: Context
  readonly file: FileOutput | undefined
}

/** The question beside its input, which is what calibration and prior put another in the place of. */
interface Question {
  readonly choices: readonly string[]
  readonly base: Omit<RequestInput, 'prompt'>
  readonly instruction: string
  readonly prompt: string
  readonly withPrior: boolean
}

export async function choose(job: ChooseJob): Promise<void> {
  const { options, context } = job
  const question = await readQuestion(job)
  noteEmbedded(options)
  const status = openStatusLine({ enabled: !options.quiet, color: options.color })
  status.show('loading the model')
  try {
    const opening = open(job, () => status.clear())
    const engine = await abortable(opening, context.interrupts.signal)
    context.interrupts.listen()
    await answer(job, question, engine)
    await readyNextRun(engine, options)
  } catch (error) {
    job.file?.discard()
    throw error
  } finally {
    status.clear()
    context.interrupts.release()
  }
}

async function open({ options, context }: ChooseJob, onDownload: () => void): Promise<Engine> {
  if (serversOf(options).length > 0)
    return openServers(options, context, { parallel: PARALLEL_ELSEWHERE, whole: true, scores: true })
  return joinOrOpen(options, engineOptions(options, context, { onDownload }))
}

async function readQuestion({ source, readWhole, options }: ChooseJob): Promise<Question> {
  const choices = await readChoices(options.choices!)
  const system = options.systemFile === undefined ? options.system : await readText(options.systemFile)
  const prompt = await readWhole()
  const instruction = source.words.join(' ')
  const base = { ...requestOptions(options), system }
  // Without an input beside it, the question would be its own prior.
  const hasInput = instruction.trim() !== '' && prompt !== instruction
  const withPrior = hasInput && options.choicePrior !== false
  if (options.verbose && options.choicePrior !== false && !hasInput)
    writeLine('choices: no prior, for there is no input beside the question')
  return { choices, base, instruction, prompt, withPrior }
}

function requestOf({ base, choices, instruction, withPrior }: Question, prompt: string): ChoiceRequest {
  const empty = instruction.trim() === '' ? undefined : makeRequest({ ...base, prompt: instruction })
  return { request: makeRequest({ ...base, prompt }), choices, empty, prior: withPrior }
}

async function answer(job: ChooseJob, question: Question, engine: Engine): Promise<void> {
  const { options, context, file } = job
  const { signal } = context.interrupts
  const startedAt = performance.now()
  const asked = requestOf(question, question.prompt)
  const calibration = await calibrate(question, engine, job)
  const result = await engine.choose(asked, { signal })
  const decision = decide(result.choices, calibration?.temperature)
  const { best, margin } = decision
  const threshold = calibration?.threshold ?? options.minP ?? 0
  const isUnsure = options.else !== undefined && best.probability < threshold
  const text = isUnsure ? options.else! : best.choice
  const document = { engine, result, decision, text, isUnsure, calibration }
  const output = file ?? context.stdout
  await output.write(
    options.json ? `${toJson(choiceDocument(document))}\n` : `${text}${options.newline ? '\n' : ''}`,
  )
  await output.flush()
  file?.commit()
  const tellsProbability = options.json === true || options.minP !== undefined || options.verbose === true
  if (!options.quiet && (tellsProbability || calibration !== undefined))
    writeLine(calibrationText(calibration))
  if (options.verbose) for (const line of verboseLines(engine, result, decision)) writeLine(line)
  if (!options.stats) return
  const dim = await loadDim(options.color)
  const seconds = (performance.now() - startedAt) / 1000
  const p = `${best.choice}: ${best.probability.toFixed(4)}, ${margin.toFixed(4)} before the next`
  const lines = [
    `model     ${engine.model.id} (${engine.model.dtype}), ${runsText(engine.model.runs)}`,
    `prompt    ${result.promptTokens} tokens`,
    `choice    ${p}`,
    `time      ${seconds.toFixed(3)} s`,
  ]
  process.stderr.write(`${lines.map(dim).join('\n')}\n`)
}

function verboseLines({ model }: Engine, { promptTokens }: ChoiceResult, { choices }: Decision): string[] {
  return [
    `runs: ${model.id} (${model.dtype}), ${runsText(model.runs)}`,
    `prompt: ${promptTokens} tokens`,
    ...choices.map(
      ({ choice, probability, logprob, prior }) =>
        `${choice}: P ${probability.toFixed(4)}, ln ${logprob.toFixed(3)}${prior === undefined ? '' : `, prior ${prior.toFixed(3)}`}`,
    ),
  ]
}

/** Labelled inputs take the place of the input. The share of right answers that is wanted is `--min-p`, else a half. */
async function calibrate(
  question: Question,
  engine: Engine,
  { options, context }: ChooseJob,
): Promise<Calibration | undefined> {
  const { calibrate: file, minP: wanted = 0.5 } = options
  if (file === undefined) return undefined
  const { choices, instruction } = question
  const labelOf = (word: string): number => choices.indexOf(word)
  const examples = parseLabelled(await readText(file), { name: file, labels: choices, labelOf })
  const { signal } = context.interrupts
  const results = await Promise.all(
    examples.map(({ text }) => {
      const prompt = instruction === '' ? text : `${text}\n\n${instruction}`
      return engine.choose(requestOf(question, prompt), { signal })
    }),
  )
  const scored = results.map((result, i) => ({
    scores: result.choices.map(({ logprob, prior = 0 }) => logprob - prior),
    label: examples[i]!.label,
  }))
  const temperature = fitTemperature(scored)
  const judged = results.map((result, i) => {
    const { best } = decide(result.choices, temperature)
    return { confidence: best.probability, isRight: best.choice === choices[examples[i]!.label] }
  })
  return { temperature, threshold: fitThreshold(judged, wanted), examples: examples.length }
}
