/** The program: signals in, exit code out, and the one place that catches. */

import type { SpoutError } from '../errors.ts'
import { errorDocument } from '../output/json-document.ts'
import { openStdout, ReaderGone } from '../output/stdout.ts'
import { leave } from '../system/leave.ts'
import { toJson } from '../system/text-display.ts'
import { chooseCommand } from './commands.ts'
import type { Context } from './context.ts'
import { createInterrupts, dieOf, Interrupted } from './interrupt.ts'
import { Requested } from './program.ts'
import { asSpoutError, writeError } from './terminal/messages.ts'

/** What a shell reports for a process that SIGPIPE ended. */
const READER_GONE = 141
/** How long work that cannot be stopped may keep a failed process alive. */
const PATIENCE_MS = 300

/** How a program ends. What runs a command line within a process of its own, that goes on after it, ends it otherwise. */
export interface Ending {
  /** Everything is written: at once, whatever is still held; the exit code is in `process.exitCode`. */
  exit(): void
  /** With `code`, though native work is under way that cannot be stopped. */
  leave(code: number): void
}

const OF_THE_PROCESS: Ending = { exit: () => process.exit(), leave: (code) => void leave(code) }

/** Runs the command line. Resolves when everything is written; the exit code is in `process.exitCode`. */
export async function main(argv: readonly string[], ending: Ending = OF_THE_PROCESS): Promise<void> {
  // Whoever closed stderr does not want to hear: not an error of the run.
  process.stderr.on('error', () => undefined)
  // Without a handler this signal would open a debugger on a port of this machine.
  process.on('SIGUSR1', () => undefined)
  const stdout = openStdout()
  const interrupts = createInterrupts()
  const timeIsOver = { mayTell: () => true }
  const end = makeEnd({ argv, stdout, ending, timeIsOver })
  const context: Context = { stdout, interrupts, giveUp: (failure) => void end(failure), timeIsOver }
  stdout.failure.addEventListener('abort', () => interrupts.abort(stdout.failure.reason))
  process.on('uncaughtException', (error) => void end(error))
  try {
    await runCommand(argv, context)
    await allWritten(context)
    ending.exit()
  } catch (error) {
    await end(interrupts.signal.aborted ? interrupts.signal.reason : error)
  }
}

async function runCommand(argv: readonly string[], context: Context): Promise<void> {
  try {
    const [run, words] = await chooseCommand(argv)
    await run(words, context)
  } catch (error) {
    if (!(error instanceof Requested)) throw error
    await context.stdout.write(error.text)
    await context.stdout.flush()
  }
}

/** Once everything has left the process it can end at once: what it still holds, the system frees sooner than it would. */
async function allWritten({ stdout }: Context): Promise<void> {
  if (stdout.used) await stdout.flush()
  await new Promise((resolve) => process.stderr.write('', resolve))
}

interface Ended {
  readonly argv: readonly string[]
  readonly stdout: Context['stdout']
  readonly ending: Ending
  readonly timeIsOver: Context['timeIsOver']
}

/** The end by a failure. What fails beside it, for the same reason mostly, is not told as well. */
function makeEnd({ argv, stdout, ending, timeIsOver }: Ended): (error: unknown) => Promise<void> {
  let ended = false
  return async (error) => {
    if (ended) return
    ended = true
    if (error instanceof Interrupted) return dieOf(error.signal)
    if (error instanceof ReaderGone) return ending.leave(READER_GONE)
    const failure = asSpoutError(error)
    process.exitCode = failure.exitCode
    if (!timeIsOver.mayTell()) return
    writeError(failure)
    if (!stdout.used) await writeJsonError(failure, argv, stdout).catch(() => undefined)
    setTimeout(() => ending.leave(failure.exitCode), PATIENCE_MS).unref()
  }
}

/** Who asked for JSON gets the failure as JSON too, even if the command line could not be read. */
async function writeJsonError(
  failure: SpoutError,
  argv: readonly string[],
  stdout: Context['stdout'],
): Promise<void> {
  const end = argv.indexOf('--')
  const flags = end < 0 ? argv : argv.slice(0, end)
  const isJsonl = flags.includes('--jsonl')
  if (!isJsonl && !flags.includes('--json')) return
  const event = isJsonl ? { event: 'error' } : {}
  await stdout.write(`${toJson({ ...event, ...errorDocument(failure) })}\n`)
  await stdout.flush()
}
