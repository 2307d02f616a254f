/** `spout [prompt...]`: reads the prompt, opens the engine, writes the answer. */
import type { Engine, EngineResult } from '../../engine/engine.ts'
import type { GenerateRequest } from '../../engine/request.ts'
import { SpoutError } from '../../errors.ts'
import { openEngine } from '../../open-engine.ts'
import { measure } from '../../output/measurements.ts'
import { statisticsLines } from '../../output/statistics.ts'
import { openStdout, type Stdout } from '../../output/stdout.ts'
import { type Answer, openAnswer } from '../answer.ts'
import { abortable, type Interrupts } from '../interrupt.ts'
import type { Options } from '../options.ts'
import { readPrompt, readText } from '../prompt-source.ts'
import { checkFlags, requestFromFlags } from '../request-from-flags.ts'
import { writeLine } from '../terminal/messages.ts'
import { openStatusLine, type StatusLine } from '../terminal/status-line.ts'
import { loadDim } from '../terminal/style.ts'
import { makeTrace } from '../terminal/trace-lines.ts'

/** Nothing to do and nobody to ask: the caller shows the short help. */
export class NothingGiven extends SpoutError {
  constructor() {
    super('usage', 'prompt: none given', { hint: 'spout "your prompt", or pipe a text in; spout --help' })
  }
}

export async function generateCommand(
  words: readonly string[],
  options: Options,
  interrupts: Interrupts,
): Promise<void> {
  checkFlags(options)
  const stdout = openStdout()
  stdout.failure.addEventListener('abort', () => interrupts.abort(stdout.failure.reason), { once: true })
  const request = await readRequest(words, options, interrupts.signal)
  const status = openStatusLine({ enabled: !options.quiet })
  status.show('loading the model')
  try {
    const engine = await abortable(openEngine(engineOptions(options, interrupts.signal)), interrupts.signal)
    try {
      await answer({ engine, request, options, stdout, status, signal: interrupts.signal })
    } finally {
      await engine.dispose()
    }
  } finally {
    status.clear()
  }
}

async function readRequest(
  words: readonly string[],
  options: Options,
  signal: AbortSignal,
): Promise<GenerateRequest> {
  const system = options.systemFile === undefined ? options.system : await readText(options.systemFile)
  const prompt = await readPrompt({
    words,
    files: options.file ?? [],
    stdinAllowed: options.stdin,
    signal,
    onSilence: () => {
      if (!options.quiet) writeLine('waiting for stdin; --no-stdin goes on without it')
    },
  })
  if (prompt === undefined) throw new NothingGiven()
  return requestFromFlags(options, prompt, system)
}

function engineOptions(options: Options, signal: AbortSignal) {
  const model = options.model ?? (process.env.SPOUT_MODEL || undefined)
  return {
    model,
    dtype: options.dtype as never,
    runtime: options.runtime as never,
    threads: options.threads,
    contextLength: options.ctxSize,
    cacheDir: options.cacheDir,
    offline: options.offline,
    chatTemplateFile: options.chatTemplate,
    signal,
    trace: makeTrace(options.trace),
    note: (text: string, level: 'info' | 'warning') => {
      if (options.verbose || (level === 'warning' && !options.quiet)) writeLine(text)
    },
  }
}

interface AnswerInput {
  readonly engine: Engine
  readonly request: GenerateRequest
  readonly options: Options
  readonly stdout: Stdout
  readonly status: StatusLine
  readonly signal: AbortSignal
}

async function answer({ engine, request, options, stdout, status, signal }: AnswerInput): Promise<void> {
  const loadedAt = performance.now()
  const answer = openAnswer({ stdout, options, engine, onFirst: () => status.clear() })
  const trace = makeTrace(options.trace)
  status.show('reading the prompt')
  let result: EngineResult
  try {
    result = await engine.generate(request, {
      sink: answer.sink,
      signal,
      trace,
      onPrefill: (done, total) => status.show(`reading the prompt: ${done} of ${total} tokens`),
    })
  } catch (error) {
    status.clear()
    await answer.fail()
    throw error
  }
  status.clear()
  await finish({ engine, result, options, stdout, answer, loadedAt })
  signal.throwIfAborted()
}

interface FinishInput {
  readonly engine: Engine
  readonly result: EngineResult
  readonly options: Options
  readonly stdout: Stdout
  readonly answer: Answer
  readonly loadedAt: number
}

async function finish({ engine, result, options, stdout, answer, loadedAt }: FinishInput): Promise<void> {
  const measured = measure(result, loadedAt, stdout.firstByteAt)
  await answer.finish(result, measured)
  const cut = cutNote(result)
  if (cut !== undefined && !options.quiet) writeLine(cut)
  if (!options.stats) return
  const dim = await loadDim(options.color)
  const peak = process.resourceUsage().maxRSS * 1024
  const lines = statisticsLines(engine, result, measure(result, loadedAt, stdout.firstByteAt), peak)
  process.stderr.write(`${lines.map(dim).join('\n')}\n`)
}

/** A text that a limit nobody asked for has cut is said to be cut. */
function cutNote({ finishReason, lengthLimit, maxTokens }: EngineResult): string | undefined {
  if (finishReason !== 'length') return undefined
  if (lengthLimit === 'default') return `stopped at ${maxTokens} tokens; -n 0 goes on to the end`
  if (lengthLimit === 'context') return 'stopped: the context is full'
  return undefined
}
