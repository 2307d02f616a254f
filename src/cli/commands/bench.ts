/** `spout --bench [prompt]`: measures, and writes what it found. */
import { readFileSync, statSync } from 'node:fs'
import type { BenchPlan, BenchRun } from '../../bench/bench-run.ts'
import { defaultArms } from '../../bench/built-in-arms.ts'
import { measureSpeed } from '../../bench/model-speed.ts'
import { isPlot, plotSvg } from '../../bench/report/plot.ts'
import { type BenchReport, makeReport } from '../../bench/report/report.ts'
import { type SlowerArm, slowerArms } from '../../bench/report/slower-arms.ts'
import { speedText } from '../../bench/report/speed-text.ts'
import { writeReport } from '../../bench/report/write-report.ts'
import { runBench } from '../../bench/run-bench.ts'
import { loadSamples, openSampleFile, type SavedRun } from '../../bench/sample-file.ts'
import { makeRequest } from '../../engine/request.ts'
import { SpoutError } from '../../errors.ts'
import { type FileOutput, openFileOutput } from '../../output/file-output.ts'
import {
  BENCH_PROMPT,
  benchComparisons,
  benchFormat,
  benchTokens,
  checkBenchFlags,
  plainSettings,
} from '../bench-plan.ts'
import type { Context } from '../context.ts'
import { engineOptions } from '../engine-options.ts'
import type { Options } from '../options.ts'
import { findPrompt, readPrompt, readText } from '../prompt-source.ts'
import { requestOptions } from '../request-from-flags.ts'
import { writeLine } from '../terminal/messages.ts'
import { openStatusLine } from '../terminal/status-line.ts'

/** A difference below this share need not be told from none, unless the flags say another. */
const RESOLUTION = 0.03
const DEFAULT_PAIRS = 20

export async function benchCommand(
  words: readonly string[],
  options: Options,
  context: Context,
): Promise<void> {
  checkBenchFlags(options)
  const format = benchFormat(options)
  const saved = options.benchAgainst === undefined ? undefined : loadSamples(options.benchAgainst)
  const plot = options.benchPlot === undefined ? undefined : openPlot(options.benchPlot)
  const plan = await makePlan(words, options, context)
  if (asksForSpeed(options, format)) await tellSpeed(plan, options, context)
  const run = await measure(plan, options, context)
  if (run.samples.length > 0) await deliver({ run, format, plot, saved, options, context })
  context.interrupts.signal.throwIfAborted()
  if (run.ended.how === 'failed') throw failed(run.ended.why)
}

/** Whoever names nothing to compare wants to know how fast the model is; the history of the hot path comes after. */
function asksForSpeed({ benchArm, benchArms, benchSave, benchAgainst }: Options, format: string): boolean {
  return format === 'md' && [benchArm, benchArms, benchSave, benchAgainst].every((flag) => flag === undefined)
}

async function tellSpeed({ task }: BenchPlan, options: Options, context: Context): Promise<void> {
  const { interrupts, stdout } = context
  const status = openStatusLine({ enabled: !options.quiet, color: options.color })
  const given = engineOptions(options, context, { onDownload: () => status.clear() })
  const { signal, onProgress, onResolved, note } = given
  interrupts.listen()
  try {
    const speed = await measureSpeed({
      settings: plainSettings(given),
      hooks: { signal, onProgress, onResolved, note },
      text: task.request.text,
      signal: interrupts.signal,
      onProgress: (text) => status.show(text),
    })
    status.clear()
    await stdout.write(speedText(speed, Boolean(process.stdout.isTTY)))
    await stdout.flush()
  } finally {
    status.clear()
  }
}

/** A plot may take the place of a plot. @throws SpoutError `output` when another file is there. */
function openPlot(path: string): FileOutput {
  const file = openFileOutput(path)
  const old = statSync(path, { throwIfNoEntry: false })
  if (!old?.isFile() || old.size === 0 || isPlot(readFileSync(path, 'utf8'))) return file
  file.discard()
  throw new SpoutError('output', `${path}: there is another file, which is no plot`, {
    hint: 'another name, or remove it first',
  })
}

async function makePlan(
  words: readonly string[],
  options: Options,
  { interrupts, ...rest }: Context,
): Promise<BenchPlan> {
  const { file: files = [], systemFile, benchPairs = DEFAULT_PAIRS } = options
  const { signal } = interrupts
  const source = findPrompt({ words, files, stdinAllowed: [...words, ...files].includes('-') })
  const given = source && (await readPrompt(source, { signal, onSilence: () => undefined }))
  const system = systemFile === undefined ? options.system : await readText(systemFile)
  const tokens = benchTokens(options)
  const prompt = given || BENCH_PROMPT
  const comparisons = benchComparisons({
    options,
    defaults: await availableArms(options),
    settingsOf: (each) => plainSettings(engineOptions(each, { interrupts, ...rest })),
  })
  return {
    comparisons,
    task: {
      request: makeRequest({ ...requestOptions(options), sampling: {}, maxTokens: tokens, prompt, system }),
      tokens,
    },
    pairs: benchPairs + (benchPairs % 2),
    seed: options.seed ?? 1n,
    freshProcess: options.benchProcess ?? false,
    resolution: options.failIfSlower || RESOLUTION,
  }
}

async function availableArms({ benchArm, benchArms, quiet }: Options): Promise<string[]> {
  if (benchArm !== undefined || benchArms !== undefined) return []
  const { hasTransformers } = await import('../../bench/transformers-arm.ts')
  const transformers = await hasTransformers()
  if (!transformers && !quiet) {
    writeLine(
      'transformers.js is not installed and left out: npm install --no-save --ignore-scripts @huggingface/transformers',
    )
  }
  return defaultArms({ transformers })
}

async function measure(plan: BenchPlan, options: Options, context: Context): Promise<BenchRun> {
  const { interrupts } = context
  const file = options.benchSave === undefined ? undefined : openSampleFile(options.benchSave)
  const status = openStatusLine({ enabled: !options.quiet, color: options.color })
  const { signal, onProgress, onResolved, note } = engineOptions(options, context, {
    onDownload: () => status.clear(),
  })
  interrupts.listen()
  try {
    return await runBench(plan, {
      signal: interrupts.signal,
      hooks: { signal, onProgress, onResolved, note },
      onProgress: (text) => status.show(text),
      onStart(environment) {
        interrupts.listen()
        file?.start(environment)
      },
      onSample: (sample, ids) => file?.add(sample, ids),
    })
  } finally {
    status.clear()
  }
}

interface Delivery {
  readonly run: BenchRun
  readonly format: ReturnType<typeof benchFormat>
  readonly plot: FileOutput | undefined
  readonly saved: SavedRun | undefined
  readonly options: Options
  readonly context: Context
}

async function deliver({ run, format, plot, saved, options, context }: Delivery): Promise<void> {
  const report = makeReport(run, saved)
  await context.stdout.write(writeReport(report, format))
  await context.stdout.flush()
  if (plot !== undefined) {
    await plot.write(plotSvg(report))
    plot.commit()
  }
  refuseSlower(report, options)
}

/** @throws SpoutError `failed` when something is slower than `--fail-if-slower` allows. */
function refuseSlower(report: BenchReport, { failIfSlower }: Options): void {
  if (failIfSlower === undefined || report.run.ended.how !== 'complete') return
  const slower = slowerArms(report, failIfSlower)
  if (slower.length === 0) return
  const say = ({ arm, beside, share }: SlowerArm): string =>
    `${arm} than ${beside} by ${(100 * share).toFixed(1)} %`
  throw new SpoutError('failed', `slower than --fail-if-slower allows: ${slower.map(say).join(', ')}`)
}

/** Whatever an arm met: once something was measured, it is the bench that failed. */
function failed(why: unknown): SpoutError {
  const { message } = why as Error
  if (why instanceof SpoutError && why.code === 'output') return why
  return new SpoutError('failed', `bench: ${message}`, {
    hint: 'what was measured before is kept',
    cause: why,
  })
}
