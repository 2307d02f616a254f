/**
 * `spout [prompt...]`: reads the prompt while the engine opens, and writes the answer. What is wrong with the command line
 * is said before anything is started, and nothing is fetched before there is a prompt.
 */
import { PAGE } from '../../backend/kv.ts'
import type { EncodedPrompt } from '../../engine/encode-prompt.ts'
import type { Engine, EngineResult, RequestFacts, RequestIo } from '../../engine/engine.ts'
import { type GenerateRequest, makeRequest } from '../../engine/request.ts'
import type { StructureRequest } from '../../engine/structure-request.ts'
import { SpoutError } from '../../errors.ts'
import { type EngineStart, openLibrary } from '../../open/start-engine.ts'
import type { FileOutput } from '../../output/file-output.ts'
import { measure } from '../../output/measurements.ts'
import { refusedLines, runsText, samplingText, templateText } from '../../output/run-facts.ts'
import { openAnswer } from '../answer.ts'
import { cutNote, lacksAnswer, noAnswer, structureEnd } from '../answer-end.ts'
import { checkChoiceFlags } from '../choice-flags.ts'
import { startClock } from '../clock.ts'
import type { Context } from '../context.ts'
import { engineOptions } from '../engine-options.ts'
import { FLAGS } from '../flags.ts'
import { shortHelp } from '../help/help-text.ts'
import { abortable } from '../interrupt.ts'
import { refuseMistyped } from '../mistyped.ts'
import { readyNextRun } from '../next-run.ts'
import type { Options } from '../options.ts'
import { parseCommandLine } from '../program.ts'
import {
  type FilePart,
  findPrompt,
  liesOnDisk,
  type PromptOrigin,
  type PromptSource,
  readPrompt,
  readText,
} from '../prompt-source.ts'
import type { ReceiptFile } from '../receipt-file.ts'
import { serversOf, withoutLocal } from '../remote/engine-flags.ts'
import { openServers } from '../remote/open-for.ts'
import { checkFlags, flagNotes, hasStructure, requestOptions } from '../request-from-flags.ts'
import { namingSettings, settingLines, withSettings } from '../settings.ts'
import { systemRefused } from '../system-refused.ts'
import { noteEmbedded } from '../terminal/embedded-note.ts'
import { asSpoutError, writeLine } from '../terminal/messages.ts'
import { makePrefillListener } from '../terminal/prefill-text.ts'
import { writeStatistics } from '../terminal/statistics.ts'
import { openStatusLine, type StatusLine } from '../terminal/status-line.ts'
import { makeTrace } from '../terminal/trace-lines.ts'
import { version } from '../version.ts'
import { mayHaveWorker } from '../worker/may-have-worker.ts'
import { startOrJoin } from '../worker/start-or-join.ts'

export async function generateCommand(argv: readonly string[], context: Context): Promise<void> {
  const { words, options: given } = parseCommandLine<Options>(argv, {
    name: 'spout',
    flags: FLAGS,
    help: shortHelp,
    version: () => `${version()}\n`,
    words: true,
  })
  checkFlags(given)
  checkChoiceFlags(given)
  refuseMistyped(argv, words)
  await startClock(given, context)
  const options = withoutLocal(withSettings(given), given)
  if (options.verbose) for (const line of settingLines(given)) writeLine(line)
  if (!options.quiet) flagNotes(options).forEach(writeLine)
  try {
    await runGenerate(words, options, context)
  } catch (error) {
    throw namingSettings(error, given)
  }
}

async function runGenerate(words: readonly string[], options: Options, context: Context): Promise<void> {
  if (options.bench) {
    const { benchCommand } = await import('./bench.ts')
    return benchCommand(words, options, context)
  }
  const structure = await structureOf(options)
  if (structure !== undefined && (options.explain || options.check !== undefined))
    return checkStructureOnly(structure, options, context)
  const source = sourceOf(words, options)
  if (options.choices !== undefined) {
    const { choose } = await import('./choose.ts')
    const readWhole = () => readWholePrompt(source, { options, context })
    return choose({ source, readWhole, options, context, file: await openFile(options.output) })
  }
  const receipt = await openReceipt(options)
  const job = { source, options, context, structure, file: await openFile(options.output), receipt }
  if (options.dryRun) {
    const { dryRun } = await import('../dry-run.ts')
    await dryRun((await readRequest(job)).request, options, context)
  } else {
    await generateOnce(job)
  }
}

/** What the flags say of it, with the code for it where they say something. */
async function structureOf(options: Options): Promise<StructureRequest | undefined> {
  if (!hasStructure(options)) return undefined
  // On a thread of its own, and of no model: it is there when the structure is found to be one that can be used.
  if (!options.explain && options.check === undefined && !mayHaveWorker()) void openLibrary(options.runtime)
  const { structureFromFlags } = await import('../structure-from-flags.ts')
  const { request, note, leftOut } = await structureFromFlags(options)
  if (options.verbose) writeLine(note)
  if (!options.quiet)
    for (const line of leftOut) writeLine(`schema: not enforced, checked at the end: ${line}`)
  return request
}

async function checkStructureOnly(
  structure: StructureRequest,
  { check: file }: Options,
  context: Context,
): Promise<void> {
  const { check, explain } = await import('./structure.ts')
  if (file === undefined) await explain(structure, context)
  else await check(structure, file, context)
}

/** For `--verbose`: what is about to answer, and how. */
function sayWhatRuns({ model }: Engine, facts: RequestFacts): void {
  writeLine(`runs: ${model.id} (${model.dtype}), ${runsText(model.runs)}`)
  for (const line of refusedLines(model.runs)) writeLine(line)
  if (model.runs.device === 'remote') return
  writeLine(`prompt: ${facts.promptTokens} tokens; template: ${templateText({ ...model, ...facts })}`)
  writeLine(`sampling: ${samplingText(facts)}; seed ${facts.seed}`)
}

interface Job {
  readonly source: PromptSource
  readonly structure: StructureRequest | undefined
  readonly options: Options
  readonly context: Context
  readonly file: FileOutput | undefined
  readonly receipt: ReceiptFile | undefined
}

/** The engine is not disposed: the process ends with the answer, and the system frees sooner than the runtime does. */
async function generateOnce(job: Job): Promise<void> {
  const { options, context } = job
  const { start, letFetch } = startEarly(job)
  const { request, origin } = await readRequest(job)
  noteEmbedded(options)
  const status = openStatusLine({ enabled: !options.quiet, color: options.color })
  status.show(serversOf(options).length > 0 ? 'asking the server' : 'loading the model')
  letFetch(() => status.clear())
  try {
    const encoding = start.encode(request)
    const engine = await abortable(start.engine, context.interrupts.signal)
    await answer(job, { request, origin, encoded: await encoding, engine, status })
  } catch (error) {
    const hasSystem = request.messages[0]?.role === 'system'
    throw hasSystem ? systemRefused(error, 'put the system message into the prompt') : error
  } finally {
    status.clear()
    context.interrupts.release()
  }
}

interface EarlyStart {
  readonly start: EngineStart
  /** From now on a model may be fetched; `onDownload` is told before the first word about it. */
  letFetch(onDownload: () => void): void
}

function startEarly(job: Job): EarlyStart {
  if (serversOf(job.options).length === 0) return startHere(job)
  const engine = openServers(job.options, job.context, { parallel: job.options.samples ?? 1, whole: false })
  engine.catch(() => undefined)
  return { start: { engine, encode: async () => undefined }, letFetch: () => undefined }
}

function startHere({ options, context, receipt }: Job): EarlyStart {
  let letFetch!: EarlyStart['letFetch']
  const allowed = new Promise<() => void>((resolve) => {
    letFetch = resolve
  })
  let clear: () => void
  const beforeFetch = async (): Promise<void> => {
    clear = await allowed
    context.interrupts.listen()
  }
  const opening = engineOptions(options, context, {
    ...{ beforeFetch, onDownload: () => clear(), readsPrompts: true },
  })
  const start = startOrJoin(options, receipt?.watching(opening) ?? opening)
  return { start, letFetch }
}

async function openReceipt(options: Options): Promise<ReceiptFile | undefined> {
  if (options.receipt === undefined || options.dryRun) return undefined
  const { openReceipt } = await import('../receipt-file.ts')
  return openReceipt(options.receipt, options)
}

async function openFile(path: string | undefined): Promise<FileOutput | undefined> {
  if (path === undefined || path === '-') return undefined
  const { openFileOutput } = await import('../../output/file-output.ts')
  return openFileOutput(path)
}

function sourceOf(words: readonly string[], options: Options): PromptSource {
  const stdinAllowed = options.stdin && options.schema !== '-' && options.items !== '-'
  const source = findPrompt({ words, files: options.file ?? [], stdinAllowed })
  if (source !== undefined) return source
  process.stderr.write(`${shortHelp()}\n`)
  throw new SpoutError('usage', 'prompt: none given', { hint: 'spout "your prompt", or pipe a text in' })
}

async function readRequest({ source, options, context, structure }: Job) {
  let files: FilePart | undefined
  const system = options.systemFile === undefined ? options.system : await readText(options.systemFile)
  const prompt = await readWholePrompt(source, { options, context }, (part) => {
    files = part
  })
  const expect = options.expect === undefined ? undefined : await readText(options.expect)
  const request = makeRequest({ ...requestOptions(options), prompt, system, structure, expect })
  const isSystemFile = options.systemFile !== undefined && liesOnDisk(options.systemFile)
  const origin: PromptOrigin = { prompt: files, system: isSystemFile ? system : undefined }
  return { request, origin }
}

function readWholePrompt(
  source: PromptSource,
  { options, context }: Pick<Job, 'options' | 'context'>,
  onFiles: (part: FilePart) => void = () => undefined,
): Promise<string> {
  // For a person only: what a log says does not depend on how slow a pipeline is today.
  const watched = !options.quiet && process.stderr.isTTY
  return readPrompt(source, {
    signal: context.interrupts.signal,
    onFiles,
    onStdin: (bytes) => {
      if (options.verbose) writeLine(`${bytes} bytes of stdin stand before the words; --no-stdin leaves them`)
    },
    onEmpty: watched ? () => writeLine('stdin was empty: the words alone are the prompt') : undefined,
    onSilence: watched ? () => writeLine('waiting for stdin; --no-stdin goes on without it') : undefined,
  })
}

interface Ready {
  readonly request: GenerateRequest
  readonly origin: PromptOrigin
  readonly encoded: EncodedPrompt | undefined
  readonly engine: Engine
  readonly status: StatusLine
}

async function answer(job: Job, ready: Ready): Promise<void> {
  const { options } = job
  const { engine } = ready
  const onStart = options.verbose ? (facts: RequestFacts) => sayWhatRuns(engine, facts) : undefined
  if (options.samples === undefined) return answerOnce(job, ready, onStart)
  const { answerSamples } = await import('../samples.ts')
  const [first] = await answerSamples({ ...job, ...ready, onStart })
  await keepForNextRun(first!, ready, options)
  await readyNextRun(engine, options)
}

/** The code for it is loaded only where there may be something to keep. */
async function keepForNextRun(result: EngineResult, { request, origin, engine }: Ready, options: Options) {
  if (engine.handOverPrompt === undefined || result.promptTokens - result.keptTokens < PAGE) return
  const { keepable, keepPrompt, prefilledOf } = await import('../keep-prompt.ts')
  const known = keepable(request, origin, options)
  if (known === undefined) return
  await keepPrompt({ engine, options, requests: [known], prefilled: prefilledOf(result) })
}

async function answerOnce(
  { options, context, file, receipt }: Job,
  ready: Ready,
  onStart: RequestIo['onStart'],
): Promise<void> {
  const { request, encoded, engine, status } = ready
  const { interrupts, stdout } = context
  const loadedAt = performance.now()
  const writer = openAnswer({
    output: file ?? stdout,
    file,
    options,
    engine,
    structure: request.structure,
    onFirst: () => {
      status.clear()
      interrupts.listen()
    },
  })
  let result: EngineResult
  try {
    result = await engine.generate(request, {
      sink: receipt?.hashing(writer.sink) ?? writer.sink,
      signal: interrupts.signal,
      encoded,
      trace: makeTrace(options.trace),
      onStart,
      onPrefill: makePrefillListener((text) => status.show(text)),
    })
  } catch (error) {
    status.clear()
    await writer.fail(asSpoutError(error))
    throw error
  }
  status.clear()
  await writer.finish(result, measure(result, loadedAt))
  await receipt?.write({ engine, request, result })
  const cut = cutNote(result)
  if (cut !== undefined && !options.quiet) writeLine(cut)
  if (options.stats) await writeStatistics({ engine, result, loadedAt, color: options.color })
  interrupts.signal.throwIfAborted()
  if (result.structure?.overruled && !options.quiet)
    writeLine('a ban would have left nothing that the structure allows: it was passed over')
  const shortEnd = structureEnd(result, engine, writer)
  if (shortEnd !== undefined) throw shortEnd
  if (lacksAnswer(result, options.think)) throw noAnswer(result, engine)
  await keepForNextRun(result, ready, options)
  await readyNextRun(engine, options)
}
