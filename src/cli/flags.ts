/**
 * Every flag of a run, once: how it is written, how its value is checked, what help says, and under which heading. Help, the manual
 * page, completion, the configuration file and the README are made from this table. Flags that only other commands have are in
 * `batch-flags.ts`, `serve-flags.ts` and `scoring-flags.ts`.
 */

import { DTYPES } from '../model/resolved-model.ts'
import { RUNTIMES } from '../onnx-runtime/open-runtime.ts'
import { DEVICES } from '../open/device-choice.ts'
import { parseServers } from '../remote/server-url.ts'
import { SAMPLING_RANGES } from '../sampling/sampling-params.ts'
import { checkThreads } from '../system/choose-threads.ts'
import { ARM_NAMES, BENCH_FORMATS } from './bench-words.ts'
import {
  parseArm,
  parseChoice,
  parseDrafts,
  parseFile,
  parseKeepAlive,
  parseKeyValue,
  parseLogitBias,
  parseModel,
  parseNumber,
  parsePercent,
  parseSeed,
  parseText,
} from './flag-values.ts'
import { PROMPT_CACHE_MODES } from './prompt-cache-mode.ts'

export interface Flag {
  /** As commander writes it: `-n, --max-tokens <n>`. */
  readonly flags: string
  readonly help: string
  readonly group: FlagGroup
  /** Turns the text into the value. @throws SpoutError `usage` with the allowed range. */
  readonly parse?: (text: string) => unknown
  /** May be given several times; the values are collected. */
  readonly repeatable?: true
  /** In the short help. */
  readonly everyday?: true
  /** May have a default in the configuration file and in a variable: see settings.ts. */
  readonly setting?: true
  /** What completion offers: the values themselves, or where to find them. */
  readonly values?: readonly string[] | 'file' | 'folder' | 'model'
  /** Only of `spout [prompt...]`: a conversation has no use for it. */
  readonly oneShot?: true
}

export const FLAG_GROUPS = [
  'Model',
  'Prompt',
  'Length',
  'Structure',
  'Scoring',
  'Sampling',
  'Output',
  'Measure',
] as const
/** `Server` is of one command alone. */
export type FlagGroup = (typeof FLAG_GROUPS)[number] | 'Server'

const MAX_TOKENS = 2 ** 31 - 1
const MAX_ITEMS = 100_000
const JSON_FORMATS = ['json', 'object', 'array'] as const
const NOTATIONS = ['gbnf', 'lark', 'ebnf'] as const
const SCHEMA_PROMPTS = ['auto', 'types', 'none'] as const
const oneOf = (values: readonly string[]) => ({
  values,
  parse: (text: string) => parseChoice(text, values),
})
const whole = (min: number, max: number) => (text: string) => parseNumber(text, { min, max, whole: true })
const sampling = (name: keyof typeof SAMPLING_RANGES) => (text: string) =>
  parseNumber(text, SAMPLING_RANGES[name])

/** What becomes of the reasoning of a model that thinks aloud. */
const THINK_MODES = ['show', 'hide', 'only'] as const
export type ThinkMode = (typeof THINK_MODES)[number]

export const FLAGS: readonly Flag[] = [
  {
    flags: '-m, --model <name>',
    help: 'org/name[@revision] on the hub, or a folder (default: the embedded model)',
    parse: parseModel,
    group: 'Model',
    everyday: true,
    setting: true,
    values: 'model',
  },
  {
    flags: '--dtype <type>',
    help: `weights to use: auto, ${DTYPES.join(', ')}`,
    group: 'Model',
    setting: true,
    ...oneOf(['auto', ...DTYPES]),
  },
  {
    flags: '--device <device>',
    help: 'where to run: auto (where it was measured to be faster), cpu, gpu',
    group: 'Model',
    setting: true,
    ...oneOf(DEVICES),
  },
  {
    flags: '--threads <n>',
    help: "threads of the session (default: one per physical core, within a container's quota)",
    group: 'Model',
    setting: true,
    parse: (text) => checkThreads(whole(1, 4096)(text)),
  },
  {
    flags: '--ctx-size <n>',
    help: 'a shorter context than the model has',
    group: 'Model',
    setting: true,
    parse: whole(2, MAX_TOKENS),
  },
  {
    flags: '--cache-dir <folder>',
    help: 'where hub models are (HF_HUB_CACHE)',
    parse: parseText,
    group: 'Model',
    setting: true,
    values: 'folder',
  },
  {
    flags: '--precise',
    help: 'products as exact as the file says: 4-bit weights are else multiplied in int8, and a large fp32 or fp16 head in 8 bits',
    group: 'Model',
    setting: true,
  },
  {
    flags: '--no-prepare',
    help: 'use nothing that was prepared for a quick start, and prepare nothing after the answer',
    group: 'Model',
    setting: true,
  },
  { flags: '--offline', help: 'never use the network', group: 'Model', setting: true },
  {
    flags: '--engine <url>',
    help: 'a server that runs the model, with an interface like that of OpenAI: vLLM, llama-server, spout serve; several, with commas between, share the work; local: none',
    group: 'Model',
    parse: parseServers,
    repeatable: true,
    setting: true,
  },
  {
    flags: '--engine-key-file <file>',
    help: 'its key (SPOUT_ENGINE_KEY)',
    group: 'Model',
    parse: parseFile,
    setting: true,
    values: 'file',
  },
  {
    flags: '--keep-alive <time>',
    help: 'leave a process that keeps the model loaded for the next runs, until nobody has asked for so long: 90s, 10m, 2h; off: also ask none that is there',
    group: 'Model',
    setting: true,
    oneShot: true,
    parse: parseKeepAlive,
  },

  { flags: '-s, --system <text>', help: 'system message', group: 'Prompt', everyday: true },
  {
    flags: '--system-file <file>',
    help: 'system message from a file',
    parse: parseFile,
    group: 'Prompt',
    values: 'file',
  },
  {
    flags: '-f, --file <file>',
    help: 'put a file before the prompt; - is stdin',
    parse: parseText,
    group: 'Prompt',
    repeatable: true,
    everyday: true,
    values: 'file',
    oneShot: true,
  },
  {
    flags: '--raw',
    help: 'complete the text, without the chat template',
    group: 'Prompt',
    everyday: true,
  },
  {
    flags: '--chat-template <file>',
    help: "use this template in place of the model's",
    parse: parseText,
    group: 'Prompt',
    values: 'file',
  },
  {
    flags: '--template-arg <key=value>',
    help: 'a variable for the chat template',
    group: 'Prompt',
    parse: parseKeyValue,
    repeatable: true,
  },
  { flags: '--allow-special', help: 'let special tokens written in the prompt be special', group: 'Prompt' },
  {
    flags: '--prompt-cache <which>',
    help: 'texts whose memory is kept on disk, so that what begins alike starts sooner: files (texts that lay in files), all, off',
    group: 'Prompt',
    setting: true,
    ...oneOf(PROMPT_CACHE_MODES),
  },
  {
    flags: '--no-prompt-cache',
    help: 'the same as --prompt-cache off: keep nothing, and read nothing that was kept',
    group: 'Prompt',
  },
  {
    flags: '--keep-prompt',
    help: 'the same as --prompt-cache all: keep this prompt, words and what was piped in too',
    group: 'Prompt',
  },
  { flags: '--no-stdin', help: 'do not read stdin', group: 'Prompt', oneShot: true },
  {
    flags: '--dry-run',
    help: 'say what would run and what it needs; load no weights',
    group: 'Prompt',
    oneShot: true,
  },

  {
    flags: '-n, --max-tokens <n>',
    help: 'most tokens to write; 0: until the end (default: 0 with a chat template, else 512)',
    group: 'Length',
    parse: whole(0, MAX_TOKENS),
    everyday: true,
  },
  {
    flags: '--stop <text>',
    help: 'end before this text in the answer',
    parse: parseText,
    group: 'Length',
    repeatable: true,
    everyday: true,
  },
  {
    flags: '--drafts <what>',
    help: 'guesses that are tried beside the next token: off, auto (as many as pay), or so many (default: auto, which changes no answer)',
    parse: parseDrafts,
    group: 'Model',
    setting: true,
    values: ['auto', 'off'],
  },
  {
    flags: '--draft-model <model>',
    help: 'a smaller model of the same vocabulary, whose choices are guesses too: the same answer, sooner where they are often right',
    parse: parseModel,
    group: 'Model',
    setting: true,
    values: 'model',
  },
  {
    flags: '--expect <file>',
    help: 'what the answer will mostly be, as of an edit: the same answer, sooner',
    parse: parseFile,
    group: 'Model',
    values: 'file',
    oneShot: true,
  },
  { flags: '--ignore-eos', help: 'go on past the end token', group: 'Length' },
  {
    flags: '--timeout <seconds>',
    help: 'give up after this time: exit code 124, the text so far is kept',
    group: 'Length',
    parse: (text) => parseNumber(text, { min: 0, max: 2 ** 20, above: true }),
    oneShot: true,
  },

  {
    flags: '--schema <schema>',
    help: "JSON of fields ('name, age int 0..120, tags [str]'), or of a JSON Schema (@file, file.json, - is stdin)",
    group: 'Structure',
    parse: parseText,
    everyday: true,
    oneShot: true,
    values: 'file',
  },
  {
    flags: '--items <schema>',
    help: 'as many documents of a schema as there are, each on a line of its own',
    group: 'Structure',
    parse: parseText,
    oneShot: true,
    values: 'file',
  },
  {
    flags: '--min-items <n>',
    help: 'at least so many of them',
    group: 'Structure',
    parse: whole(0, MAX_ITEMS),
    oneShot: true,
  },
  {
    flags: '--max-items <n>',
    help: 'at most so many of them',
    group: 'Structure',
    parse: whole(1, MAX_ITEMS),
    oneShot: true,
  },
  {
    flags: '--format <kind>',
    help: 'any JSON: json, object or array',
    group: 'Structure',
    oneShot: true,
    ...oneOf(JSON_FORMATS),
  },
  {
    flags: '--choice <text>',
    help: 'the answer is one of these texts',
    group: 'Structure',
    parse: parseText,
    repeatable: true,
    everyday: true,
    oneShot: true,
  },
  {
    flags: '--regex <pattern>',
    help: 'the whole answer matches a regular expression (ECMAScript)',
    group: 'Structure',
    parse: parseText,
    oneShot: true,
  },
  {
    flags: '--grammar <grammar>',
    help: 'the answer is a text of a grammar, or of one in a file (@file): GBNF, Lark or EBNF',
    group: 'Structure',
    parse: parseText,
    oneShot: true,
    values: 'file',
  },
  {
    flags: '--grammar-format <name>',
    help: 'gbnf, lark or ebnf (default: by the name of the file, else by the first rule)',
    group: 'Structure',
    oneShot: true,
    ...oneOf(NOTATIONS),
  },
  {
    flags: '--schema-prompt <what>',
    help: 'what a chat model is told of a schema: auto (the schema itself), types (as TypeScript), none',
    group: 'Structure',
    oneShot: true,
    ...oneOf(SCHEMA_PROMPTS),
  },
  {
    flags: '--json-style <style>',
    help: 'compact, pretty, or auto: as the model begins',
    group: 'Structure',
    oneShot: true,
    ...oneOf(['auto', 'compact', 'pretty']),
  },
  {
    flags: '--open-objects',
    help: 'objects may have other keys than those a schema names, as the standard has it',
    group: 'Structure',
    oneShot: true,
  },
  {
    flags: '--schema-lenient',
    help: 'leave out what cannot be enforced, say so, and check the finished answer (exit code 4)',
    group: 'Structure',
    oneShot: true,
  },
  {
    flags: '--on-limit <what>',
    help: 'at a limit: fail (exit code 3, no half document), or close it in time (exit code 3 as well)',
    group: 'Structure',
    oneShot: true,
    ...oneOf(['fail', 'close']),
  },
  {
    flags: '--jump <when>',
    help: 'run ahead what must come: auto (the default), off; changes the time, not the text',
    group: 'Structure',
    oneShot: true,
    ...oneOf(['auto', 'off']),
  },
  {
    flags: '--explain',
    help: 'say what a structure is, what is enforced and what begins it; run no model',
    group: 'Structure',
    oneShot: true,
  },
  {
    flags: '--check <file>',
    help: 'does this text satisfy the structure? Say where it does not; run no model',
    group: 'Structure',
    parse: parseFile,
    oneShot: true,
    values: 'file',
  },

  {
    flags: '--choices <list>',
    help: 'the likeliest of these is the answer, with commas between, or in a file, one a line: nothing is drawn, and --json has all probabilities (--choice writes one of them token by token)',
    group: 'Scoring',
    parse: parseText,
    oneShot: true,
    values: 'file',
  },
  {
    flags: '--no-choice-prior',
    help: 'do not take off what is as likely when the input is empty',
    group: 'Scoring',
    oneShot: true,
  },
  {
    flags: '--else <text>',
    help: 'the answer when the likeliest choice has a smaller probability than --min-p, or than --calibrate found',
    group: 'Scoring',
    parse: parseText,
    oneShot: true,
  },
  {
    flags: '--calibrate <file>',
    help: 'with --choices: lines of input, tab, choice; fits temperature and threshold to them',
    group: 'Scoring',
    parse: parseFile,
    values: 'file',
    oneShot: true,
  },

  {
    flags: '-t, --temperature <x>',
    help: "0 is greedy (default, as of all these: the model's own)",
    group: 'Sampling',
    parse: sampling('temperature'),
    everyday: true,
  },
  {
    flags: '--top-k <n>',
    help: 'keep the k most likely tokens; 0: off',
    group: 'Sampling',
    parse: sampling('topK'),
  },
  {
    flags: '--top-p <x>',
    help: 'keep the most likely tokens up to this probability; 1: off',
    group: 'Sampling',
    parse: sampling('topP'),
  },
  {
    flags: '--min-p <x>',
    help: "keep tokens of at least this share of the best one's probability; 0: off; with --choices: the least probability of an answer (see --else)",
    group: 'Sampling',
    parse: sampling('minP'),
  },
  {
    flags: '--typical-p <x>',
    help: 'keep typical tokens up to this probability; 1: off',
    group: 'Sampling',
    parse: sampling('typicalP'),
  },
  {
    flags: '--repetition-penalty <x>',
    help: 'above 1: repeat less',
    group: 'Sampling',
    parse: sampling('repetitionPenalty'),
  },
  {
    flags: '--repeat-last-n <n>',
    help: 'tokens the penalties look at; -1: all',
    group: 'Sampling',
    parse: sampling('repeatLastN'),
  },
  {
    flags: '--presence-penalty <x>',
    help: 'taken off the logits of tokens already written',
    group: 'Sampling',
    parse: sampling('presencePenalty'),
  },
  {
    flags: '--frequency-penalty <x>',
    help: 'the same, times how often they were written',
    group: 'Sampling',
    parse: sampling('frequencyPenalty'),
  },
  {
    flags: '--no-repeat-ngram-size <n>',
    help: 'let no run of n tokens occur twice; 0: off',
    group: 'Sampling',
    parse: sampling('noRepeatNgramSize'),
  },
  {
    flags: '--logit-bias <id=x>',
    help: 'add x to the logit of a token',
    group: 'Sampling',
    parse: parseLogitBias,
    repeatable: true,
  },
  {
    flags: '--min-new-tokens <n>',
    help: 'do not end before this many tokens',
    group: 'Sampling',
    parse: sampling('minNewTokens'),
  },
  {
    flags: '--seed <n>',
    help: 'the same seed gives the same text',
    group: 'Sampling',
    parse: parseSeed,
    everyday: true,
  },

  {
    flags: '-o, --output <file>',
    help: 'write the answer there, whole or not at all',
    parse: parseText,
    group: 'Output',
    everyday: true,
    values: 'file',
    oneShot: true,
  },
  {
    flags: '--json',
    help: 'one JSON document with text, ids and figures',
    group: 'Output',
    everyday: true,
    oneShot: true,
  },
  {
    flags: '--jsonl',
    help: 'one JSON event per line: start, token, end',
    group: 'Output',
    oneShot: true,
  },
  {
    flags: '--logprobs [k]',
    help: 'with --json or --jsonl: log-probabilities, and the k best tokens',
    group: 'Output',
    parse: sampling('logprobs'),
    oneShot: true,
  },
  {
    flags: '--samples <n>',
    help: 'with --json: so many answers to the prompt, which is computed once',
    group: 'Output',
    parse: whole(1, 1024),
    oneShot: true,
  },
  {
    flags: '--think <what>',
    help: 'reasoning of a model: show (on stderr), hide, only (it alone, on stdout)',
    group: 'Output',
    setting: true,
    ...oneOf(THINK_MODES),
  },
  {
    flags: '--receipt <file>',
    help: 'write there what determined the answer; spout verify runs it again',
    parse: parseFile,
    group: 'Output',
    values: 'file',
    oneShot: true,
  },
  { flags: '--no-newline', help: 'no newline after the text', group: 'Output', oneShot: true },
  { flags: '--stats', help: 'figures on stderr', group: 'Output', everyday: true },
  {
    flags: '--color <when>',
    help: 'auto, always, never',
    group: 'Output',
    setting: true,
    ...oneOf(['auto', 'always', 'never']),
  },
  { flags: '-q, --quiet', help: 'no notes on stderr', group: 'Output' },
  { flags: '-v, --verbose', help: 'say what was chosen and why', group: 'Output' },
  { flags: '--trace', help: 'one line per token on stderr', group: 'Output' },

  {
    flags: '--runtime <name>',
    help: `which binding runs the session: ${RUNTIMES.join(', ')}`,
    group: 'Measure',
    ...oneOf(RUNTIMES),
  },
  {
    flags: '--bench',
    help: `measure instead of answering; -o names the format: ${BENCH_FORMATS.join(', ')}`,
    group: 'Measure',
    oneShot: true,
  },
  {
    flags: '--bench-arms <names>',
    help: `what to measure beside the product, with commas between: ${ARM_NAMES.join(', ')}`,
    group: 'Measure',
    values: ARM_NAMES,
    parse: (text) => text.split(',').map((name) => parseChoice(name.trim(), ARM_NAMES)),
    oneShot: true,
  },
  {
    flags: '--bench-arm <name=flags>',
    help: "settings of your own, as in q4='--dtype q4'; the first one is what the others are beside",
    group: 'Measure',
    parse: parseArm,
    repeatable: true,
    oneShot: true,
  },
  {
    flags: '--bench-process',
    help: 'a fresh process for every sample: starting and loading count',
    group: 'Measure',
    oneShot: true,
  },
  {
    flags: '--bench-pairs <n>',
    help: 'pairs of samples (default: 20)',
    group: 'Measure',
    parse: whole(10, 1000),
    oneShot: true,
  },
  {
    flags: '--bench-tokens <n>',
    help: 'tokens of every request, as -n (default: 100)',
    group: 'Measure',
    parse: whole(1, MAX_TOKENS),
    oneShot: true,
  },
  {
    flags: '--bench-save <file>',
    help: 'add every sample to a file as it is taken, one JSON document per line',
    group: 'Measure',
    parse: parseText,
    values: 'file',
    oneShot: true,
  },
  {
    flags: '--bench-against <file>',
    help: 'compare with samples saved before, which is not interleaved',
    group: 'Measure',
    parse: parseText,
    values: 'file',
    oneShot: true,
  },
  {
    flags: '--bench-plot <file>',
    help: 'write the distributions there, as SVG',
    group: 'Measure',
    parse: parseText,
    values: 'file',
    oneShot: true,
  },
  {
    flags: '--fail-if-slower <percent>',
    help: 'exit code 1 when an arm is slower than what it is beside by more, as in 3%',
    group: 'Measure',
    parse: parsePercent,
    oneShot: true,
  },
]

/** Of a conversation only. */
const ONLY_CHAT: readonly Flag[] = [
  { flags: '--continue', help: 'go on with the last conversation', group: 'Prompt' },
  {
    flags: '--commands',
    help: 'obey lines such as /save from a pipe; else they are messages',
    group: 'Prompt',
  },
  {
    flags: '--no-keep',
    help: 'keep neither the conversation, for --continue, nor what is typed',
    group: 'Output',
    setting: true,
  },
]

/** Those a conversation takes. */
export const CHAT_FLAGS: readonly Flag[] = [...FLAGS.filter((flag) => !flag.oneShot), ...ONLY_CHAT]

/** Those that may have a default of the user's. */
export const SETTING_FLAGS: readonly Flag[] = [...FLAGS, ...ONLY_CHAT].filter((flag) => flag.setting)

/** Of whatever loads one model and keeps it: how, and what is said of it. */
export const LOADING: readonly string[] = [
  ...[
    '--model',
    '--dtype',
    '--device',
    '--threads',
    '--ctx-size',
    '--cache-dir',
    '--precise',
    '--no-prepare',
  ],
  ...['--offline', '--color', '--quiet', '--verbose', '--runtime'],
]

const MODELS_SHARED: ReadonlySet<string> = new Set([
  ...['--dtype', '--threads', '--precise', '--cache-dir', '--offline', '--quiet', '--verbose', '--color'],
])

const VERIFY_SHARED: ReadonlySet<string> = new Set([
  ...['--model', '--device', '--threads', '--cache-dir', '--no-prepare', '--offline', '--chat-template'],
  ...['--runtime', '--quiet', '--verbose', '--color'],
])

/** Of `spout verify`. */
export const VERIFY_FLAGS: readonly Flag[] = [
  ...FLAGS.filter((flag) => VERIFY_SHARED.has(longName(flag))),
  { flags: '--json', help: 'one JSON document', group: 'Output' },
]

/** Of `spout devices`. */
export const DEVICES_FLAGS: readonly Flag[] = [
  { flags: '--json', help: 'one JSON document', group: 'Output' },
]

/** Of `spout worker`. */
export const WORKER_FLAGS: readonly Flag[] = [{ flags: '--json', help: 'one JSON document', group: 'Output' }]

/** Of `spout cache`. */
export const CACHE_FLAGS: readonly Flag[] = [
  { flags: '--json', help: 'one JSON document', group: 'Output' },
  {
    flags: '--keep <gigabytes>',
    help: 'prune: how much may stay; 0 removes all (default: what the next prompt would leave)',
    parse: (text) => parseNumber(text, { min: 0, max: 1e6 }),
    group: 'Model',
  },
  { flags: '--dry-run', help: 'prune: only tell what would be removed', group: 'Model' },
]

/** Of `spout models`. */
export const MODELS_FLAGS: readonly Flag[] = [
  ...FLAGS.filter((flag) => MODELS_SHARED.has(longName(flag))),
  { flags: '--json', help: 'one JSON document', group: 'Output' },
  { flags: '--all', help: 'list: also models without an ONNX graph', group: 'Model' },
  { flags: '--repair', help: 'pull: hash what is there and fetch again what is damaged', group: 'Model' },
  { flags: '--again', help: 'prepare: also what is prepared already', group: 'Model' },
  {
    flags: '--if-free',
    help: 'prepare: not while another process prepares it (exit code 75)',
    group: 'Model',
  },
  {
    flags: '--keep <gigabytes>',
    help: 'prune: how much of what is prepared may stay; 0 removes all (default: all that a run would use)',
    parse: (text) => parseNumber(text, { min: 0, max: 1e6 }),
    group: 'Model',
  },
  { flags: '--dry-run', help: 'rm, prune: only tell what would be removed', group: 'Model' },
]

/** `--max-tokens` of `-n, --max-tokens <n>`. */
export function longName({ flags }: Flag): string {
  return /--[\w-]+/.exec(flags)![0]
}

/** `-m` of `-m, --model <name>`. */
export function shortName({ flags }: Flag): string | undefined {
  return /^-\w/.exec(flags)?.[0]
}

/** True of `--threads <n>`; false of a switch. */
export function takesValue({ flags }: Flag): boolean {
  return flags.includes('<')
}

/** True of `--no-stdin`: a switch that is on until it is written. */
export function isNegated(flag: Flag): boolean {
  return !takesValue(flag) && longName(flag).startsWith('--no-')
}

/** The property of commander's options: `maxTokens`, `stdin` of `--no-stdin`. */
export function optionKey(flag: Flag): string {
  const name = longName(flag).slice(2)
  const key = isNegated(flag) ? name.replace(/^no-/, '') : name
  return key.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
}
