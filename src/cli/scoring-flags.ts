/** The flags of `spout filter`, `spout rank` and `spout score`. */
import { type PromptTemplate, parseTemplate } from '../batch/template.ts'
import { parseChoice, parseFile, parseNumber, parseText } from './flag-values.ts'
import { FLAGS, type Flag, LOADING, longName } from './flags.ts'
import type { Options } from './options.ts'

export interface LineOptions extends Options {
  readonly input?: LineFormat
  readonly template?: PromptTemplate
  readonly parallel?: number
  readonly calibrate?: string
  readonly scores?: boolean
}

export interface FilterOptions extends LineOptions {
  readonly invertMatch?: boolean
  readonly count?: boolean
  readonly lineNumber?: boolean
  readonly maxCount?: number
  readonly threshold?: number
  readonly okIfNone?: boolean
}

export interface RankOptions extends LineOptions {
  readonly top?: number
}

export interface ScoreOptions extends LineOptions {
  readonly prompt?: string
  readonly whole?: boolean
  readonly perToken?: boolean
}

const LINE_FORMATS = ['lines', 'jsonl'] as const
type LineFormat = (typeof LINE_FORMATS)[number]

const MODEL_FLAGS: ReadonlySet<string> = new Set([
  ...LOADING,
  ...['--keep-alive', '--engine', '--engine-key-file', '--allow-special', '--timeout', '--stats'],
])
/** Of those that ask a question. */
const QUESTION_FLAGS: ReadonlySet<string> = new Set([
  ...['--system', '--system-file', '--raw', '--chat-template', '--template-arg'],
])

const taken = (names: ReadonlySet<string>): Flag[] => FLAGS.filter((flag) => names.has(longName(flag)))
const share = (text: string): number => parseNumber(text, { min: 0, max: 1 })

const LINE_FLAGS: readonly Flag[] = [
  {
    flags: '--input <format>',
    help: 'lines: each line is a text; jsonl: JSON with a field text (default: told by name and content)',
    group: 'Prompt',
    values: LINE_FORMATS,
    parse: (text) => parseChoice(text, LINE_FORMATS),
  },
  {
    flags: '--template <text>',
    help: "the text, of the fields of a JSON line: '{title}: {body}'",
    group: 'Prompt',
    parse: parseTemplate,
  },
  {
    flags: '--parallel <n>',
    help: 'lines under way at once (default: 32)',
    group: 'Model',
    parse: (text) => parseNumber(text, { min: 1, max: 1024, whole: true }),
  },
]

const CALIBRATE: Flag = {
  flags: '--calibrate <file>',
  help: 'lines of text, tab, yes or no: fits the threshold and the probabilities to them',
  group: 'Scoring',
  parse: parseFile,
  values: 'file',
}

const SCORES: Flag = { flags: '--scores', help: 'put P(yes) and a tab before each line', group: 'Output' }

/** Short names are those of grep. */
export const FILTER_FLAGS: readonly Flag[] = [
  { flags: '-v, --invert-match', help: 'print the lines that are not', group: 'Output' },
  { flags: '-c, --count', help: 'print how many there are, and no line', group: 'Output' },
  { flags: '-n, --line-number', help: 'put the number of the line before it', group: 'Output' },
  {
    flags: '-m, --max-count <n>',
    help: 'end after so many lines: nothing more is read or computed',
    group: 'Output',
    parse: (text) => parseNumber(text, { min: 1, max: 2 ** 31, whole: true }),
  },
  {
    flags: '-q, --quiet',
    help: 'print nothing, end at the first line: the exit code tells',
    group: 'Output',
  },
  SCORES,
  { flags: '--json', help: 'a JSON line for each line that is printed', group: 'Output' },
  { flags: '--ok-if-none', help: 'exit code 0 when no line is printed, too', group: 'Output' },
  {
    flags: '--threshold <x>',
    help: 'print lines whose P(yes) is at least this (default: 0.5, or what --calibrate finds)',
    group: 'Scoring',
    parse: share,
  },
  CALIBRATE,
  ...LINE_FLAGS,
  ...taken(new Set([...MODEL_FLAGS, ...QUESTION_FLAGS]))
    .filter((flag) => longName(flag) !== '--quiet')
    .map((flag) => ({ ...flag, flags: flag.flags.replace(/^-[mv], /, '') })),
]

export const RANK_FLAGS: readonly Flag[] = [
  {
    flags: '--top <k>',
    help: 'print the first k only; of the others none is kept',
    group: 'Output',
    parse: (text) => parseNumber(text, { min: 1, max: 2 ** 31, whole: true }),
  },
  SCORES,
  { flags: '--json', help: 'a JSON line for each line', group: 'Output' },
  CALIBRATE,
  ...LINE_FLAGS,
  ...taken(new Set([...MODEL_FLAGS, ...QUESTION_FLAGS])),
]

export const SCORE_FLAGS: readonly Flag[] = [
  {
    flags: '--prompt <text>',
    help: 'score each text as what comes after this one; a JSON line may have a field prompt',
    group: 'Prompt',
    parse: parseText,
  },
  { flags: '--whole', help: 'the whole input is one text, line ends and all', group: 'Prompt' },
  { flags: '--per-token', help: 'a line for each token as well', group: 'Output' },
  { flags: '--json', help: 'a JSON line for each text (default: where the input is JSON)', group: 'Output' },
  ...LINE_FLAGS,
  ...taken(MODEL_FLAGS),
]
