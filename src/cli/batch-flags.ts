/** The flags of `spout batch`. */
import { INPUT_FORMATS, type InputFormat } from '../batch/input-format.ts'
import { parseShard, type Shard } from '../batch/shard.ts'
import { type PromptTemplate, parseTemplate } from '../batch/template.ts'
import { parseChoice, parseNumber, parseText } from './flag-values.ts'
import { FLAGS, type Flag, longName } from './flags.ts'
import type { Options } from './options.ts'

export interface BatchOptions extends Options {
  readonly template?: PromptTemplate
  readonly input?: InputFormat
  readonly csv?: boolean
  readonly tsv?: boolean
  readonly text?: boolean
  readonly withInput?: boolean
  readonly unordered?: boolean
  readonly fresh?: boolean
  readonly retryErrors?: boolean
  readonly maxErrors?: number
  readonly seedBy?: (typeof SEED_SOURCES)[number]
  readonly shard?: Shard
  readonly parallel?: number
}

const SEED_SOURCES = ['content', 'line'] as const

/** Of one answer only, and yet of use for many. */
const SHARED_ONE_SHOT: ReadonlySet<string> = new Set([
  ...[
    '--file',
    '--dry-run',
    '--logprobs',
    '--schema',
    '--items',
    '--min-items',
    '--max-items',
    '--format',
    '--choice',
  ],
  ...[
    '--regex',
    '--grammar',
    '--grammar-format',
    '--schema-prompt',
    '--json-style',
    '--open-objects',
    '--on-limit',
  ],
  '--jump',
])
/** What a run of many makes of these flags is said in other words. */
const RESTATED: Readonly<Record<string, string>> = {
  '--file': 'put a file before every prompt that is no conversation of its own',
  '--dry-run': 'read all lines, and say what is in them and whether they fit; load no weights',
  '--logprobs': 'log-probabilities, and the k best tokens, of lines that do not say otherwise',
  '--seed': 'of the run: each line has its own, from this one and what it asks (default: 0)',
  '--stats': 'figures on stderr, at the end',
}

const ONLY_BATCH: readonly Flag[] = [
  {
    flags: '--template <text>',
    help: "the prompt, as in 'Translate: {text}'; {line} is a plain line, {{ a brace",
    group: 'Prompt',
    parse: parseTemplate,
    everyday: true,
  },
  {
    flags: '--input <format>',
    help: `what the input is: ${INPUT_FORMATS.join(', ')} (default: told by name and content)`,
    group: 'Prompt',
    values: INPUT_FORMATS,
    parse: (text) => parseChoice(text, INPUT_FORMATS),
  },
  {
    flags: '--shard <i/n>',
    help: 'every n-th line, from the i-th on, counted from 0; auto, auto/n: as the job engine says',
    group: 'Prompt',
    parse: parseShard,
  },
  {
    flags: '--timeout <seconds>',
    help: 'stop after this time; with -o exit code 75: run it again, and it goes on',
    group: 'Length',
    parse: (text) => parseNumber(text, { min: 0, max: 2 ** 20, above: true }),
  },
  {
    flags: '--seed-by <what>',
    help: 'content: equal lines get equal answers (default); line: they differ',
    group: 'Sampling',
    values: SEED_SOURCES,
    parse: (text) => parseChoice(text, SEED_SOURCES),
  },
  {
    flags: '-o, --output <file>',
    help: 'write the answers there; whatever ends the run, the same command goes on',
    group: 'Output',
    parse: parseText,
    values: 'file',
    everyday: true,
  },
  { flags: '--csv', help: 'rows in, rows out, with the answer as a column', group: 'Output' },
  { flags: '--tsv', help: 'the same with tabs', group: 'Output' },
  { flags: '--text', help: 'one line of text for each answer, \\n for a line end in it', group: 'Output' },
  { flags: '--with-input', help: 'put the line beside its answer', group: 'Output' },
  { flags: '--unordered', help: 'write answers as they are finished', group: 'Output' },
  { flags: '--fresh', help: 'start over, whatever there is', group: 'Output' },
  { flags: '--retry-errors', help: 'ask again for what had failed, and keep the rest', group: 'Output' },
  {
    flags: '--max-errors <n>',
    help: 'so many lines may have errors; one more ends the run (default: all, and exit code 1)',
    group: 'Output',
    parse: (text) => parseNumber(text, { min: 0, max: 2 ** 31, whole: true }),
  },
  {
    flags: '--parallel <n>',
    help: 'lines under way at once (default: 16)',
    group: 'Model',
    parse: (text) => parseNumber(text, { min: 1, max: 1024, whole: true }),
  },
  { flags: '--json', help: 'with --dry-run: one JSON document', group: 'Output' },
]

export const BATCH_FLAGS: readonly Flag[] = [
  ...FLAGS.filter((flag) => !flag.oneShot || SHARED_ONE_SHOT.has(longName(flag))).map((flag) => ({
    ...flag,
    help: RESTATED[longName(flag)] ?? flag.help,
  })),
  ...ONLY_BATCH,
]

/** Of `spout batch merge`. */
export const MERGE_FLAGS: readonly Flag[] = BATCH_FLAGS.filter((flag) => longName(flag) === '--output')
