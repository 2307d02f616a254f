/** `spout batch`: many prompts, one load. */
import { checkWhole, type FinishedOutput } from '../../batch/journal.ts'
import { createOutputWriter } from '../../batch/output-format.ts'
import { markOf, runBatch } from '../../batch/run-batch.ts'
import { WHOLE } from '../../batch/shard.ts'
import type { Engine } from '../../engine/engine.ts'
import { SpoutError } from '../../errors.ts'
import { togetherText } from '../../output/run-facts.ts'
import { BatchBeginning } from '../batch/batch-beginning.ts'
import { openBatchEngine, PARALLEL_ELSEWHERE } from '../batch/batch-engine.ts'
import { checkBatchFlags } from '../batch/batch-formats.ts'
import { type BatchJob, openJob, readerOf } from '../batch/batch-job.ts'
import { BatchProgress } from '../batch/batch-progress.ts'
import { createdAt, settingsOf } from '../batch/batch-settings.ts'
import { openSource } from '../batch/batch-source.ts'
import { type BatchTarget, openTarget } from '../batch/batch-target.ts'
import { BATCH_FLAGS, type BatchOptions } from '../batch-flags.ts'
import { startClock } from '../clock.ts'
import { commandOptions } from '../command-options.ts'
import type { Context } from '../context.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { parseCommandLine } from '../program.ts'
import { serversOf } from '../remote/engine-flags.ts'
import { flagNotes } from '../request-from-flags.ts'
import { namingSettings } from '../settings.ts'
import { asSpoutError, writeLine } from '../terminal/messages.ts'
import { openStatusLine } from '../terminal/status-line.ts'
import { loadDim } from '../terminal/style.ts'
import { makeTrace } from '../terminal/trace-lines.ts'

const DEFAULT_PARALLEL = 16

function batchHelp(): string {
  return commandHelp({
    usage: 'spout batch [options] [file]\n       spout batch merge [-o file] <output>...',
    summary:
      'Answers many prompts with one load of the model: a line each, or a row each, from a file or a pipe. Lines may be ' +
      'plain text, JSON ({"prompt"}, {"messages"}, a text), OpenAI\'s batch format, or rows of CSV; which it is, is ' +
      'told by name and content. A line with an error costs its own answer only. With -o, whatever ends the run, the ' +
      'same command goes on where it was.',
    more: [
      section('Examples', [
        ['spout batch prompts.txt', 'a JSON line for each line'],
        ["spout batch a.csv --csv --template 'Sum up: {text}'", 'rows, and columns more'],
        ['spout batch requests.jsonl -o answers.jsonl', "OpenAI's batch format"],
      ]),
    ],
    flags: BATCH_FLAGS,
  })
}

export async function batchCommand(argv: readonly string[], context: Context): Promise<void> {
  if (argv[0] === 'merge') {
    const { mergeCommand } = await import('./batch-merge.ts')
    return mergeCommand(argv.slice(1), context)
  }
  const line = { name: 'spout batch', flags: BATCH_FLAGS, help: batchHelp, words: true }
  const { words, options: given } = parseCommandLine<BatchOptions>(argv, line)
  checkBatchFlags(given)
  await startClock(given, context, stopError(given))
  const options = commandOptions(given)
  if (!options.quiet) flagNotes(options).forEach(writeLine)
  try {
    const source = await openSource(words)
    const job = await openJob(source, options, context.interrupts.signal)
    if (!options.dryRun) return await runJob(job, context)
    const { planBatch } = await import('../batch/batch-plan.ts')
    await planBatch(job, context)
  } catch (error) {
    throw namingSettings(error, given)
  }
}

function isFile(output: string | undefined): output is string {
  return output !== undefined && output !== '-'
}

/** A run that can be gone on with is not a failed one. */
function stopError({ timeout, output }: BatchOptions): SpoutError | undefined {
  if (!isFile(output)) return undefined
  return new SpoutError('try-later', `timeout: stopped after ${timeout} s; what is done is kept`, {
    hint: 'run the same command again: it goes on',
  })
}

async function runJob(job: BatchJob, context: Context): Promise<void> {
  const { options, source } = job
  let engine: Engine | undefined
  const writer = createOutputWriter({
    format: job.output,
    withInput: options.withInput === true,
    header: job.input.header,
    model: () => engine!.model.id,
    created: createdAt(),
  })
  const target = await openTarget({
    ...{ options, source, settings: settingsOf(job), head: writer.head },
    ...{ stdout: context.stdout, signal: context.interrupts.signal },
    note: (text) => {
      if (!options.quiet) writeLine(text)
    },
  })
  if ('records' in target) return confirmFinished(job, target)
  const progress = progressOf(job)
  const beginning = new BatchBeginning(job)
  const openEngine = async () => {
    engine = await openBatchEngine(options, context, { checkModel: target.checkModel, readsPrompts: true })
    progress.start()
    return beginning.watching(engine)
  }
  try {
    await answerAll(job, { target, progress, openEngine, write: writer.write, context })
  } finally {
    progress.clear()
    target.close()
    context.interrupts.release()
  }
  if (options.stats) {
    const lines = progress.lines(engine?.model.id ?? 'none was needed')
    await writeStatistics(options, engine ? [...lines, `written   ${togetherText(engine)}`] : lines)
  }
  context.interrupts.signal.throwIfAborted()
  await beginning.keep()
  if (engine?.model.mayPrepare) await (await import('../prepare-later.ts')).prepareLater(options)
  throwIfFailed(target.failed, options)
}

/** A pipe tells no size, and so not how much is left. */
function progressOf({ options: { quiet = false, color }, source: { status } }: BatchJob): BatchProgress {
  return new BatchProgress({
    bytes: status.isFile() ? status.size : undefined,
    quiet,
    openStatus: () => openStatusLine({ enabled: !quiet, color }),
  })
}

async function writeStatistics({ color }: BatchOptions, lines: readonly string[]): Promise<void> {
  const dim = await loadDim(color)
  process.stderr.write(`${lines.map(dim).join('\n')}\n`)
}

interface Answering extends Pick<Parameters<typeof runBatch>[0], 'openEngine' | 'write'> {
  readonly target: BatchTarget
  readonly progress: BatchProgress
  readonly context: Context
}

async function answerAll(job: BatchJob, { target, progress, context, ...how }: Answering): Promise<void> {
  const { options, input } = job
  const end = await runBatch({
    ...how,
    records: input.records,
    reader: readerOf(job),
    shard: options.shard ?? WHOLE,
    output: target,
    ordered: options.unordered !== true,
    parallel: options.parallel ?? (serversOf(options).length > 0 ? PARALLEL_ELSEWHERE : DEFAULT_PARALLEL),
    maxErrors: options.maxErrors,
    io: {
      signal: context.interrupts.signal,
      trace: makeTrace(options.trace),
      think: options.think ?? 'show',
      asSpoutError,
    },
    observer: progress,
  })
  if (end !== undefined) await target.finish(end.records, end.mark)
}

/** The same command, and nothing to do, if the input is the same. */
async function confirmFinished({ options, input }: BatchJob, finished: FinishedOutput): Promise<void> {
  const name = options.output!
  checkWhole(name, finished, await markOf(input.records, options.shard ?? WHOLE))
  if (!options.quiet) writeLine(`${name}: all is there already; --fresh starts over`)
  throwIfFailed(finished.failed, options)
}

/** @throws SpoutError `failed` when more lines have errors than may. */
function throwIfFailed(failed: number, { maxErrors = 0, output }: BatchOptions): void {
  if (failed <= maxErrors) return
  const lines = failed === 1 ? '1 line has an error' : `${failed} lines have errors`
  throw new SpoutError('failed', `batch: ${lines}`, {
    hint: isFile(output)
      ? '--retry-errors asks again for them, and for nothing else'
      : 'they are in the output',
  })
}
