/** `spout [prompt...]`: reads the prompt, opens the engine, writes the answer. */
import type { Engine, EngineResult } from '../../engine/engine.ts'
import { type GenerateRequest, makeRequest } from '../../engine/request.ts'
import { SpoutError } from '../../errors.ts'
import { openEngine } from '../../open-engine.ts'
import { type FileOutput, openFileOutput } from '../../output/file-output.ts'
import { measure } from '../../output/measurements.ts'
import { openAnswer } from '../answer.ts'
import type { Context } from '../context.ts'
import { engineOptions } from '../engine-options.ts'
import { FLAGS } from '../flags.ts'
import { shortHelp } from '../help/help-text.ts'
import { abortable } from '../interrupt.ts'
import type { Options } from '../options.ts'
import { parseCommandLine } from '../program.ts'
import { readPrompt, readText } from '../prompt-source.ts'
import { checkFlags, requestOptions } from '../request-from-flags.ts'
import { withSettings } from '../settings.ts'
import { asSpoutError, writeLine } from '../terminal/messages.ts'
import { makePrefillListener } from '../terminal/prefill-text.ts'
import { writeStatistics } from '../terminal/statistics.ts'
import { openStatusLine, type StatusLine } from '../terminal/status-line.ts'
import { makeTrace } from '../terminal/trace-lines.ts'
import { version } from '../version.ts'

export async function generateCommand(argv: readonly string[], context: Context): Promise<void> {
  const { words, options: given } = parseCommandLine<Options>(argv, {
    name: 'spout',
    flags: FLAGS,
    help: shortHelp,
    version: () => `${version()}\n`,
    words: true,
  })
  checkFlags(given)
  const options = withSettings(given)
  startClock(options.timeout, context)
  if (options.bench) {
    const { benchCommand } = await import('./bench.ts')
    return benchCommand(words, options, context)
  }
  const file = openFile(options.output)
  const request = await readRequest(words, options, context)
  if (options.dryRun) {
    const { dryRun } = await import('../dry-run.ts')
    await dryRun(request, options, context)
  } else {
    await generateOnce({ request, options, context, file })
  }
}

interface Job {
  readonly request: GenerateRequest
  readonly options: Options
  readonly context: Context
  readonly file: FileOutput | undefined
}

async function generateOnce(job: Job): Promise<void> {
  const { options, context } = job
  const { interrupts } = context
  const status = openStatusLine({ enabled: !options.quiet, color: options.color })
  status.show('loading the model')
  interrupts.listen()
  try {
    const engine = await abortable(
      openEngine(engineOptions(options, context, () => status.clear())),
      interrupts.signal,
    )
    try {
      await answer(job, engine, status)
    } finally {
      await engine.dispose()
    }
  } finally {
    status.clear()
    interrupts.release()
  }
}

/** `--timeout` ends the run as a signal would, wherever it is. */
function startClock(seconds: number | undefined, { interrupts }: Context): void {
  if (seconds === undefined) return
  const expired = (): void =>
    interrupts.abort(new SpoutError('timeout', `timeout: not done after ${seconds} s`))
  setTimeout(expired, 1000 * seconds).unref()
}

function openFile(path: string | undefined): FileOutput | undefined {
  return path === undefined || path === '-' ? undefined : openFileOutput(path)
}

async function readRequest(
  words: readonly string[],
  options: Options,
  { interrupts }: Context,
): Promise<GenerateRequest> {
  const system = options.systemFile === undefined ? options.system : await readText(options.systemFile)
  const prompt = await readPrompt({
    words,
    files: options.file ?? [],
    stdinAllowed: options.stdin,
    signal: interrupts.signal,
    onSilence: () => {
      if (!options.quiet) writeLine('waiting for stdin; --no-stdin goes on without it')
    },
  })
  if (prompt === undefined) {
    process.stderr.write(`${shortHelp()}\n`)
    throw new SpoutError('usage', 'prompt: none given', { hint: 'spout "your prompt", or pipe a text in' })
  }
  return makeRequest({ ...requestOptions(options), prompt, system })
}

async function answer({ request, options, context, file }: Job, engine: Engine, status: StatusLine) {
  const { interrupts, stdout } = context
  const loadedAt = performance.now()
  const writer = openAnswer({
    output: file ?? stdout,
    file,
    options,
    engine,
    onFirst: () => {
      status.clear()
      interrupts.listen()
    },
  })
  let result: EngineResult
  try {
    result = await engine.generate(request, {
      sink: writer.sink,
      signal: interrupts.signal,
      trace: makeTrace(options.trace),
      onPrefill: makePrefillListener((text) => status.show(text)),
    })
  } catch (error) {
    status.clear()
    await writer.fail(asSpoutError(error))
    throw error
  }
  status.clear()
  await writer.finish(result, measure(result, loadedAt))
  const cut = cutNote(result)
  if (cut !== undefined && !options.quiet) writeLine(cut)
  if (options.stats) await writeStatistics({ engine, result, loadedAt, color: options.color })
  interrupts.signal.throwIfAborted()
}

/** A text that a limit nobody asked for has cut is said to be cut. */
function cutNote({ finishReason, lengthLimit, maxTokens }: EngineResult): string | undefined {
  if (finishReason !== 'length') return undefined
  if (lengthLimit === 'default') return `stopped at ${maxTokens} tokens; -n 0 goes on to the end`
  if (lengthLimit === 'context') return 'stopped: the context is full'
  return undefined
}
