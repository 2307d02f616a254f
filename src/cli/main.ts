/** The program: signals in, exit code out, and the one place that catches. */
import { ReaderGone } from '../output/stdout.ts'
import { generateCommand } from './commands/generate.ts'
import { dieOf, Interrupted, listenForInterrupts } from './interrupt.ts'
import { asUsageError, makeProgram } from './program.ts'
import { asSpoutError, writeError } from './terminal/messages.ts'

/** What a shell reports for a process that SIGPIPE ended. */
const READER_GONE = 141

/** Runs the command line. Resolves when everything is written; the exit code is in `process.exitCode`. */
export async function main(argv: readonly string[] = process.argv): Promise<void> {
  // Whoever closed stderr does not want to hear: not an error of the run.
  process.stderr.on('error', () => undefined)
  const interrupts = listenForInterrupts()
  const program = makeProgram((words, options) => generateCommand(words, options, interrupts))
  try {
    await program.parseAsync([...argv])
  } catch (error) {
    end(interrupts.signal.aborted ? interrupts.signal.reason : error, argv)
  }
}

function end(error: unknown, argv: readonly string[]): void {
  if (isHelp(error)) return
  if (error instanceof Interrupted) {
    dieOf(error.signal)
    return
  }
  if (error instanceof ReaderGone) process.exit(READER_GONE)
  const failure = asUsageError(error) ?? asSpoutError(error)
  if (argv.includes('--json') || argv.includes('--jsonl')) writeJsonError(failure)
  writeError(failure)
  process.exitCode = failure.exitCode
}

/** Commander ends `--help` and `--version` by throwing, exit code 0. */
function isHelp(error: unknown): boolean {
  return (error as { exitCode?: unknown }).exitCode === 0
}

function writeJsonError({ code, exitCode, message }: ReturnType<typeof asSpoutError>): void {
  process.stdout.write(`${JSON.stringify({ error: { code, exit: exitCode, message } })}\n`)
}
