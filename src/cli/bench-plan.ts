/** Flags to what is measured: pure but for the reading of the settings of each arm. */
import type { ComparisonSpec, EngineSettings } from '../bench/arm.ts'
import { builtInComparisons, noiseComparison, productArm } from '../bench/built-in-arms.ts'
import { SpoutError } from '../errors.ts'
import type { OpenEngineOptions } from '../open/open-engine.ts'
import { quote } from '../system/text-display.ts'
import { BENCH_FORMATS, type BenchFormat } from './bench-words.ts'
import { FLAGS, longName } from './flags.ts'
import type { Options } from './options.ts'
import { parseCommandLine } from './program.ts'
import { flagName } from './request-from-flags.ts'

/** A prompt for whoever gives none: fixed, so that figures of different days are of the same work. */
export const BENCH_PROMPT =
  'There was a lighthouse on a rock in the sea, and a keeper who wrote down every ship that passed. One evening, when ' +
  'the wind had fallen and the water was as smooth as glass, he saw a light where no light had ever been. He took his ' +
  'coat, climbed down to the boat and'

const DEFAULT_TOKENS = 100

/** What --bench decides itself, or what has no meaning for it. */
const FOREIGN: readonly (keyof Options)[] = [
  ...([
    'json',
    'jsonl',
    'logprobs',
    'samples',
    'expect',
    'drafts',
    'draftModel',
    'think',
    'stats',
    'trace',
    'dryRun',
    'stop',
    'ignoreEos',
  ] as const),
  ...(['temperature', 'topK', 'topP', 'minP', 'typicalP', 'repetitionPenalty', 'repeatLastN'] as const),
  ...(['presencePenalty', 'frequencyPenalty', 'noRepeatNgramSize', 'logitBias', 'minNewTokens'] as const),
]

/** @throws SpoutError `usage` for flags that would do nothing here. */
export function checkBenchFlags(options: Options): void {
  const foreign = FOREIGN.find((key) => options[key] !== undefined && options[key] !== false)
  if (foreign !== undefined) {
    throw new SpoutError('usage', `${flagName(foreign)} and --bench: only one of them at a time`, {
      hint: 'every request of --bench is greedy and of a fixed length; -o names the format',
    })
  }
  if (options.benchTokens !== undefined && options.maxTokens !== undefined) {
    throw new SpoutError('usage', '--bench-tokens and --max-tokens: only one of them at a time')
  }
}

/** @throws SpoutError `usage` when `-o` names no format. */
export function benchFormat({ output = 'md' }: Options): BenchFormat {
  const format = BENCH_FORMATS.find((name) => name === output)
  if (format !== undefined) return format
  throw new SpoutError('usage', `--output: with --bench it is one of ${BENCH_FORMATS.join(', ')}`, {
    hint: 'spout --bench -o json > file',
  })
}

/** @throws SpoutError `usage` when there are none: `-n 0` goes on for ever. */
export function benchTokens({ benchTokens, maxTokens }: Options): number {
  const tokens = benchTokens ?? maxTokens ?? DEFAULT_TOKENS
  if (tokens > 0) return tokens
  throw new SpoutError('usage', '--max-tokens: with --bench a whole number from 1')
}

/** The part of the options that a fresh process can be told. */
export function plainSettings(options: OpenEngineOptions): EngineSettings {
  const isPlain = ([, value]: [string, unknown]): boolean => /string|number|boolean/.test(typeof value)
  return Object.fromEntries(Object.entries(options).filter(isPlain))
}

interface ArmChoice {
  readonly options: Options
  /** Arms that are here, when the flags name none. */
  readonly defaults: readonly string[]
  /** Flags to settings. */
  readonly settingsOf: (options: Options) => EngineSettings
}

/** What is measured beside what, the baseline beside itself first. @throws SpoutError `usage` for the flags of an arm. */
export function benchComparisons({ options, defaults, settingsOf }: ArmChoice): ComparisonSpec[] {
  const { benchArm = [], benchArms = benchArm.length > 0 ? [] : defaults } = options
  const own = benchArm.map(([name, flags]) => ownArm(name, { flags, options, settingsOf }))
  refuseTwice([...benchArm.map(([name]) => name), ...benchArms])
  const built = builtInComparisons(benchArms, settingsOf(options))
  const comparisons = [...besideFirst(own, productArm(settingsOf(options))), ...built]
  return [noiseComparison(comparisons), ...comparisons]
}

/** One arm alone is beside the settings of the command line. */
function besideFirst(
  own: readonly ComparisonSpec['arm'][],
  product: ComparisonSpec['arm'],
): ComparisonSpec[] {
  if (own.length === 1) return [{ arm: own[0]!, beside: product }]
  return own.slice(1).map((arm) => ({ arm, beside: own[0]! }))
}

interface OwnArm extends Omit<ArmChoice, 'defaults'> {
  readonly flags: string
}

function ownArm(name: string, { flags, options, settingsOf }: OwnArm): ComparisonSpec['arm'] {
  const { options: own } = parseCommandLine<Options>(splitWords(flags, name), {
    name: `--bench-arm ${name}`,
    flags: ARM_FLAGS,
    help: () => `--bench-arm takes ${ARM_FLAGS.map(longName).join(', ')}\n`,
  })
  const arm = productArm(settingsOf({ ...options, ...own }), name)
  return { ...arm, standsFor: flags.trim() === '' ? 'the settings of the command line' : flags.trim() }
}

/** Settings of the engine. Sampling and prompt are the same for all. */
const ARM_FLAGS = FLAGS.filter((flag) => flag.group === 'Model' || longName(flag) === '--runtime')

/** Words as a shell would split them, without its escapes. */
function splitWords(text: string, name: string): string[] {
  const words = text.match(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g) ?? []
  const rest = text.replaceAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g, '').trim()
  if (rest !== '') throw new SpoutError('usage', `--bench-arm: ${name}: a quote without its end`)
  return words.map((word) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'))
}

const TAKEN = ['product', 'product+penalty']

function refuseTwice(names: readonly string[]): void {
  const all = [...TAKEN, ...names]
  const twice = names.find((name) => all.indexOf(name) !== all.lastIndexOf(name))
  if (twice === undefined) return
  throw new SpoutError('usage', `--bench-arm: ${quote(twice)} is the name of another arm`)
}
