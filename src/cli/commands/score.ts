/** `spout score`: how likely given texts are, by themselves or after a prompt. */

import type { LineText } from '../../batch/line-text.ts'
import type { ScoreRequest, ScoreResult } from '../../engine/score-request.ts'
import { SpoutError } from '../../errors.ts'
import { toJson } from '../../system/text-display.ts'
import { startClock } from '../clock.ts'
import { commandOptions } from '../command-options.ts'
import type { Context } from '../context.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { readyNextRun } from '../next-run.ts'
import { parseCommandLine } from '../program.ts'
import { serversOf } from '../remote/engine-flags.ts'
import { refuseTogether } from '../scoring/check-flags.ts'
import { lineJson } from '../scoring/line-json.ts'
import { type Line, runLines, sayWhatJudges } from '../scoring/line-run.ts'
import { openLines, wholeInput } from '../scoring/line-source.ts'
import { SCORE_FLAGS, type ScoreOptions } from '../scoring-flags.ts'
import { namingSettings } from '../settings.ts'

const NAME = 'spout score'

function scoreHelp(): string {
  return commandHelp({
    usage: `${NAME} [options] [file]`,
    summary:
      'Tells how likely a model holds texts to be, a line each: the natural logarithm of the probability, the perplexity, the ' +
      'number of tokens, and the text. The perplexity is exp of minus the mean logarithm, as Hugging Face has it: the first token ' +
      'of a text has nothing before it and does not count. No chat template is used.',
    more: [
      section('Examples', [
        [`${NAME} lines.txt`, 'each line'],
        [`${NAME} --whole book.txt`, 'the perplexity of the whole'],
        [
          `echo " Paris" | ${NAME} --prompt "The capital of France is" --per-token`,
          'of what comes after a prompt',
        ],
      ]),
    ],
    flags: SCORE_FLAGS,
  })
}

export async function scoreCommand(argv: readonly string[], context: Context): Promise<void> {
  const line = { name: NAME, flags: SCORE_FLAGS, help: scoreHelp, words: true }
  const { words, options: given } = parseCommandLine<ScoreOptions>(argv, line)
  refuseTogether(given, [
    ['whole', 'input'],
    ['whole', 'template'],
    ['quiet', 'verbose'],
  ])
  await startClock(given, context)
  const options = commandOptions(given)
  if (serversOf(options).length > 0)
    throw new SpoutError('usage', 'score: a server elsewhere does not tell how likely a given text is', {
      hint: '--engine local',
    })
  try {
    await score(words, options, context)
  } catch (error) {
    throw namingSettings(error, given)
  }
}

type TextScore = Omit<ScoreResult, 'tokens'> & {
  readonly scored: ScoreResult['tokens']
  readonly tokens: number
}

async function score(words: readonly string[], options: ScoreOptions, context: Context): Promise<void> {
  const how = { name: NAME, signal: context.interrupts.signal }
  const input = options.whole ? await wholeInput(words, how) : await openLines(words, options, how)
  const isJson = options.json === true || input.format === 'jsonl'
  const end = await runLines<TextScore>({
    ...{ input, options, context },
    async prepare(engine) {
      if (options.verbose) sayWhatJudges(engine)
      return {
        async judge(line, signal) {
          const { tokens, ...rest } = await engine.score(requestOf(line, options), { signal })
          return { ...rest, scored: tokens, tokens: tokens.length }
        },
      }
    },
    take: (line) => context.stdout.write(isJson ? jsonOf(line, options) : textOf(line, options)),
  })
  if (end.errors.count > 0) throw new SpoutError('failed', `score: ${end.errors.text}`)
  if (end.engine !== undefined) await readyNextRun(end.engine, options)
}

/** A JSON line may have a prompt of its own. */
function requestOf({ text, fields }: LineText, { prompt, allowSpecial = false }: ScoreOptions): ScoreRequest {
  const own = fields?.text === undefined ? undefined : fields.prompt
  if (own !== undefined && own !== null && typeof own !== 'string')
    throw new SpoutError('usage', 'prompt: it is not a text')
  return { text, prompt: own ?? prompt, allowSpecial }
}

function jsonOf(line: Line<TextScore>, { perToken }: ScoreOptions): string {
  const { logprob, perplexity, tokens, windows, scored } = line.verdict
  const each = perToken ? { per_token: scored } : {}
  return lineJson(line, { logprob, perplexity, tokens, windows, ...each })
}

function textOf({ line, verdict }: Line<TextScore>, { perToken, whole }: ScoreOptions): string {
  const { logprob, perplexity, tokens, scored } = verdict
  const each = perToken
    ? scored.map((one) => `${one.logprob.toFixed(6)}\t${toJson(one.token)}\n`).join('')
    : ''
  const text = whole ? '' : `\t${line.text.replace(/[\\\n\r]/g, (character) => ESCAPES[character]!)}`
  return `${each}${logprob.toFixed(6)}\t${Number(perplexity.toPrecision(9))}\t${tokens}${text}\n`
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r' }
