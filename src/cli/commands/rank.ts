/** `spout rank QUALITY`: lines in the order of P(yes), the greatest first. */
import { SpoutError } from '../../errors.ts'
import { Best } from '../../scoring/best.ts'
import { qualityQuestion } from '../../scoring/yes-no.ts'
import { startClock } from '../clock.ts'
import { commandOptions } from '../command-options.ts'
import type { Context } from '../context.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { readyNextRun } from '../next-run.ts'
import { parseCommandLine } from '../program.ts'
import { checkQuestionFlags, refuseTogether } from '../scoring/check-flags.ts'
import { lineJson } from '../scoring/line-json.ts'
import { type LineScore, noteCalibration, openLineJudge } from '../scoring/line-judge.ts'
import { type Line, runLines, sayWhatJudges } from '../scoring/line-run.ts'
import { openLines } from '../scoring/line-source.ts'
import { RANK_FLAGS, type RankOptions } from '../scoring-flags.ts'
import { namingSettings } from '../settings.ts'

const NAME = 'spout rank'

function rankHelp(): string {
  return commandHelp({
    usage: `${NAME} [options] <quality> [file]`,
    summary:
      'Prints lines by how likely a model holds them to have a quality, the likeliest first; equal ones in the order of the ' +
      'input. Each line is judged by itself, so that the order of the input changes nothing.',
    more: [
      section('Examples', [
        [`${NAME} "relevance to sailing" < titles.txt`, 'all of them'],
        [`${NAME} --top 5 --scores urgency tickets.txt`, 'the first five, and their P(yes)'],
      ]),
    ],
    flags: RANK_FLAGS,
  })
}

export async function rankCommand(argv: readonly string[], context: Context): Promise<void> {
  const line = { name: NAME, flags: RANK_FLAGS, help: rankHelp, words: true }
  const { words, options: given } = parseCommandLine<RankOptions>(argv, line)
  checkQuestionFlags(given)
  refuseTogether(given, [
    ['json', 'scores'],
    ['quiet', 'verbose'],
  ])
  await startClock(given, context)
  const options = commandOptions(given)
  const [quality = '', ...files] = words
  if (quality.trim() === '')
    throw new SpoutError('usage', 'quality: none given', {
      hint: `${NAME} "relevance to sailing" < lines.txt`,
    })
  try {
    await rank({ quality, files, options, context })
  } catch (error) {
    throw namingSettings(error, given)
  }
}

interface RankJob {
  readonly quality: string
  readonly files: readonly string[]
  readonly options: RankOptions
  readonly context: Context
}

async function rank({ quality, files, options, context }: RankJob): Promise<void> {
  const input = await openLines(files, options, { name: NAME, signal: context.interrupts.signal })
  const best = new Best<Line<LineScore>>(options.top)
  const end = await runLines<LineScore>({
    ...{ input, options, context },
    async prepare(engine, signal) {
      if (options.verbose) sayWhatJudges(engine)
      const questionOf = (form: { readonly isChat: boolean }) => qualityQuestion(quality, form)
      const judge = await openLineJudge({ engine, options, questionOf, signal })
      const tellsScores = options.scores || options.json || judge.calibration !== undefined
      if (!options.quiet && tellsScores) noteCalibration(judge.calibration)
      return judge
    },
    take: (line) => void best.add(line, line.verdict.probability),
  })
  for (const line of best.sorted()) await context.stdout.write(textOf(line, options))
  await context.stdout.flush()
  if (end.errors.count > 0) throw new SpoutError('failed', `rank: ${end.errors.text}`)
  if (end.engine !== undefined) await readyNextRun(end.engine, options)
}

function textOf(line: Line<LineScore>, { json, scores }: RankOptions): string {
  const { probability } = line.verdict
  if (json) return lineJson(line, { p_yes: probability })
  return `${scores ? `${probability.toFixed(4)}\t` : ''}${line.record.raw}\n`
}
