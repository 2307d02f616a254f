/** `spout filter CRITERION`: prints the lines that are as it says, and ends as grep does. */
import { EXIT_CODES, SpoutError } from '../../errors.ts'
import { criterionQuestion } from '../../scoring/yes-no.ts'
import { startClock } from '../clock.ts'
import { commandOptions } from '../command-options.ts'
import type { Context } from '../context.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { readyNextRun } from '../next-run.ts'
import { parseCommandLine } from '../program.ts'
import { checkQuestionFlags, refuseTogether } from '../scoring/check-flags.ts'
import { lineJson } from '../scoring/line-json.ts'
import { type LineScore, noteCalibration, openLineJudge } from '../scoring/line-judge.ts'
import { type Line, type LineRunEnd, runLines, sayWhatJudges } from '../scoring/line-run.ts'
import { openLines } from '../scoring/line-source.ts'
import { FILTER_FLAGS, type FilterOptions } from '../scoring-flags.ts'
import { namingSettings } from '../settings.ts'
import { asSpoutError } from '../terminal/messages.ts'

const NAME = 'spout filter'
/** Exit code of grep where no line is selected. */
const NONE = 1

function filterHelp(): string {
  return commandHelp({
    usage: `${NAME} [options] <criterion> [file]`,
    summary:
      'Prints the lines that are as the criterion says, as they stand and in their order, each as soon as it is known. A model ' +
      'is asked of each line whether the text is so; what it answers by the greater probability counts. Exit code 0: some were ' +
      'printed, 1: none, 2 and above: an error. A line that could not be judged is told on stderr and not printed.',
    more: [
      section('Examples', [
        [`${NAME} "is about sport" < headlines.txt`, 'the lines that are'],
        [`${NAME} -c "is a complaint" mails.txt`, 'how many'],
        [`${NAME} -m 1 --scores "is an apology" log.txt`, 'the first, and its P(yes)'],
      ]),
    ],
    flags: FILTER_FLAGS,
  })
}

export async function filterCommand(argv: readonly string[], context: Context): Promise<void> {
  const line = { name: NAME, flags: FILTER_FLAGS, help: filterHelp, words: true }
  const { words, options: given } = parseCommandLine<FilterOptions>(argv, line)
  checkFilterFlags(given)
  await startClock(given, context)
  const options = commandOptions(given)
  const [criterion = '', ...files] = words
  if (criterion.trim() === '')
    throw new SpoutError('usage', 'criterion: none given', { hint: `${NAME} "is about sport" < lines.txt` })
  try {
    await filter({ criterion, files, options, context })
  } catch (error) {
    throw asGrepError(namingSettings(error, given), context)
  }
}

function checkFilterFlags(options: FilterOptions): void {
  checkQuestionFlags(options)
  refuseTogether(options, [
    ['count', 'lineNumber'],
    ['count', 'scores'],
    ['count', 'json'],
    ['count', 'quiet'],
    ['json', 'lineNumber'],
    ['json', 'scores'],
    ['json', 'quiet'],
    ['quiet', 'verbose'],
  ])
}

/** Exit code 1 says that no line is so: whatever fails has another. */
class FilterFailed extends SpoutError {
  override get exitCode(): number {
    return EXIT_CODES.usage
  }
}

function asGrepError(error: unknown, { interrupts }: Context): unknown {
  if (interrupts.signal.aborted || error instanceof FilterFailed) return error
  const { code, message, hint } = asSpoutError(error)
  if (code !== 'failed') return error
  return new FilterFailed(code, message, { cause: error, ...(hint !== undefined && { hint }) })
}

interface FilterJob {
  readonly criterion: string
  readonly files: readonly string[]
  readonly options: FilterOptions
  readonly context: Context
}

async function filter({ criterion, files, options, context }: FilterJob): Promise<void> {
  const { quiet = false, count = false, okIfNone = false } = options
  const { signal } = context.interrupts
  const input = await openLines(files, options, { name: NAME, signal, asItStands: true })
  const printer = new LinePrinter(options, context)
  const end = await runLines<LineScore>({
    ...{ input, options, context, silent: quiet },
    async prepare(engine) {
      if (options.verbose) sayWhatJudges(engine)
      const questionOf = (form: { readonly isChat: boolean }) => criterionQuestion(criterion, form)
      const judge = await openLineJudge({ engine, options, questionOf, signal })
      if (!quiet) noteCalibration(judge.calibration)
      printer.threshold = options.threshold ?? judge.calibration?.threshold ?? HALF
      return judge
    },
    take: (line) => printer.take(line),
  })
  if (count) await context.stdout.write(`${printer.printed}\n`)
  if (quiet && printer.printed > 0) return
  throwIfFailed(end)
  if (end.engine !== undefined) await readyNextRun(end.engine, options)
  if (printer.printed === 0 && !okIfNone) process.exitCode = NONE
}

/** Undecided is a yes, as in P(yes) >= 0.5. */
const HALF = 0.5

class LinePrinter {
  threshold = HALF
  printed = 0
  readonly #options: FilterOptions
  readonly #stdout: Context['stdout']

  constructor(options: FilterOptions, { stdout }: Context) {
    this.#options = options
    this.#stdout = stdout
  }

  /** `false` once there are enough. */
  take(line: Line<LineScore>): Promise<void> | boolean | undefined {
    const { invertMatch = false, maxCount, quiet, count } = this.#options
    if (line.verdict.probability >= this.threshold === invertMatch) return undefined
    this.printed++
    const isLast = quiet === true || this.printed === maxCount
    const written = quiet || count ? undefined : this.#stdout.write(this.#textOf(line))
    if (!isLast) return written
    // What cannot be written any more is found when all is flushed.
    written?.catch(() => undefined)
    return false
  }

  #textOf(line: Line<LineScore>): string {
    const { json, lineNumber, scores } = this.#options
    const { record, verdict } = line
    const { probability } = verdict
    if (json) return lineJson(line, { p_yes: probability })
    const number = lineNumber ? `${record.line}:` : ''
    const score = scores ? `${probability.toFixed(4)}\t` : ''
    return number + score + wholeLine(record.written ?? `${record.raw}\n`)
  }
}

/** The last line of an input may have no end: printed it has one, as with grep. */
function wholeLine(written: string): string {
  return written.endsWith('\n') ? written : `${written}\n`
}

function throwIfFailed({ errors }: LineRunEnd): void {
  if (errors.count > 0) throw new FilterFailed('failed', `filter: ${errors.text}`)
}
