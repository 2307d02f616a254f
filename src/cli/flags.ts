/** Every flag, once: how it is written, how its value is checked, what help says, and under which heading. */
import { RUNTIMES } from '../backend/onnx/runtime/open-runtime.ts'
import { DTYPES } from '../model/resolved-model.ts'
import {
  parseChoice,
  parseInteger,
  parseKeyValue,
  parseLogitBias,
  parseNumber,
  parseSeed,
} from './flag-values.ts'

export interface Flag {
  /** As commander writes it: `-n, --max-tokens <n>`. */
  readonly flags: string
  readonly help: string
  readonly group: FlagGroup
  /** Turns the text into the value. @throws SpoutError `usage` with the allowed range. */
  readonly parse?: (text: string) => unknown
  /** May be given several times; the values are collected. */
  readonly repeatable?: true
}

export const FLAG_GROUPS = ['Model', 'Prompt', 'Length', 'Sampling', 'Output', 'Measure'] as const
export type FlagGroup = (typeof FLAG_GROUPS)[number]

const MAX_TOKENS = 2 ** 31 - 1
const choice = (values: readonly string[]) => (text: string) => parseChoice(text, values)
const integer = (min: number, max: number) => (text: string) => parseInteger(text, min, max)
const number =
  (min: number, max: number, open: { above?: true; below?: true } = {}) =>
  (text: string) =>
    parseNumber(text, { min, max, ...open })

export const FLAGS: readonly Flag[] = [
  {
    flags: '-m, --model <name>',
    help: 'org/name[@revision] on the hub, or a folder (SPOUT_MODEL; else the embedded model)',
    group: 'Model',
  },
  {
    flags: '--dtype <type>',
    help: `weights to use: auto, ${DTYPES.join(', ')}`,
    group: 'Model',
    parse: choice(['auto', ...DTYPES]),
  },
  { flags: '--device <device>', help: 'where to run: cpu', group: 'Model', parse: choice(['cpu']) },
  {
    flags: '--threads <n>',
    help: 'threads of the session (default: one per physical core)',
    group: 'Model',
    parse: integer(1, 4096),
  },
  {
    flags: '--ctx-size <n>',
    help: 'a shorter context than the model has',
    group: 'Model',
    parse: integer(2, MAX_TOKENS),
  },
  { flags: '--cache-dir <folder>', help: 'where hub models are (HF_HUB_CACHE)', group: 'Model' },
  { flags: '--offline', help: 'never use the network', group: 'Model' },

  { flags: '-s, --system <text>', help: 'system message', group: 'Prompt' },
  { flags: '--system-file <file>', help: 'system message from a file', group: 'Prompt' },
  {
    flags: '-f, --file <file>',
    help: 'put a file before the prompt; - is stdin',
    group: 'Prompt',
    repeatable: true,
  },
  { flags: '--raw', help: 'complete the text, without the chat template', group: 'Prompt' },
  { flags: '--chat-template <file>', help: "use this template in place of the model's", group: 'Prompt' },
  {
    flags: '--template-arg <key=value>',
    help: 'a variable for the chat template',
    group: 'Prompt',
    parse: parseKeyValue,
    repeatable: true,
  },
  { flags: '--allow-special', help: 'let special tokens written in the prompt be special', group: 'Prompt' },
  { flags: '--no-stdin', help: 'do not read stdin', group: 'Prompt' },

  {
    flags: '-n, --max-tokens <n>',
    help: 'most tokens to write; 0: until the end (default: 0 with a chat template, else 512)',
    group: 'Length',
    parse: integer(0, MAX_TOKENS),
  },
  { flags: '--stop <text>', help: 'end before this text', group: 'Length', repeatable: true },
  { flags: '--ignore-eos', help: 'go on past the end token', group: 'Length' },

  { flags: '-t, --temperature <x>', help: '0 is greedy', group: 'Sampling', parse: number(0, 100) },
  {
    flags: '--top-k <n>',
    help: 'keep the k most likely tokens; 0: off',
    group: 'Sampling',
    parse: integer(0, MAX_TOKENS),
  },
  {
    flags: '--top-p <x>',
    help: 'keep the most likely tokens up to this probability; 1: off',
    group: 'Sampling',
    parse: number(0, 1),
  },
  {
    flags: '--min-p <x>',
    help: "keep tokens of at least this share of the best one's probability; 0: off",
    group: 'Sampling',
    parse: number(0, 1),
  },
  {
    flags: '--typical-p <x>',
    help: 'keep typical tokens up to this probability; 1: off',
    group: 'Sampling',
    parse: number(0, 1, { above: true }),
  },
  {
    flags: '--repetition-penalty <x>',
    help: 'above 1: repeat less',
    group: 'Sampling',
    parse: number(0, 100, { above: true }),
  },
  {
    flags: '--repeat-last-n <n>',
    help: 'tokens the penalties look at; -1: all',
    group: 'Sampling',
    parse: integer(-1, MAX_TOKENS),
  },
  {
    flags: '--presence-penalty <x>',
    help: 'taken off the logits of tokens already written',
    group: 'Sampling',
    parse: number(-2, 2),
  },
  {
    flags: '--frequency-penalty <x>',
    help: 'the same, times how often they were written',
    group: 'Sampling',
    parse: number(-2, 2),
  },
  {
    flags: '--no-repeat-ngram-size <n>',
    help: 'let no run of n tokens occur twice; 0: off',
    group: 'Sampling',
    parse: integer(0, MAX_TOKENS),
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
    parse: integer(0, MAX_TOKENS),
  },
  { flags: '--seed <n>', help: 'the same seed gives the same text', group: 'Sampling', parse: parseSeed },

  { flags: '--json', help: 'one JSON document with text, ids and figures', group: 'Output' },
  { flags: '--jsonl', help: 'one JSON event per line: start, token, end', group: 'Output' },
  {
    flags: '--logprobs [k]',
    help: 'with --json or --jsonl: log-probabilities, and the k best tokens',
    group: 'Output',
    parse: integer(0, 100),
  },
  { flags: '--no-newline', help: 'no newline after the text', group: 'Output' },
  { flags: '--stats', help: 'figures on stderr', group: 'Output' },
  {
    flags: '--color <when>',
    help: 'auto, always, never',
    group: 'Output',
    parse: choice(['auto', 'always', 'never']),
  },
  { flags: '-q, --quiet', help: 'no notes on stderr', group: 'Output' },
  { flags: '-v, --verbose', help: 'say what was chosen and why', group: 'Output' },
  { flags: '--trace', help: 'one line per token on stderr', group: 'Output' },

  {
    flags: '--runtime <name>',
    help: `which binding runs the session: ${RUNTIMES.join(', ')}`,
    group: 'Measure',
    parse: choice(RUNTIMES),
  },
]
