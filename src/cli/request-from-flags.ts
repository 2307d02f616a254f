/** Flags and prompt to a request: pure, so that every rule can be tested without a process. */
import type { RequestInput } from '../engine/request.ts'
import { SpoutError } from '../errors.ts'
import type { SamplingOptions } from '../sampling/sampling-params.ts'
import type { Options } from './options.ts'

/** Pairs that contradict each other. */
const CONFLICTS: readonly (readonly [keyof Options, keyof Options])[] = [
  ['explain', 'check'],
  ['json', 'jsonl'],
  ['system', 'systemFile'],
  ['quiet', 'verbose'],
  ['raw', 'chatTemplate'],
  ['raw', 'templateArg'],
  ['bench', 'receipt'],
  ['samples', 'jsonl'],
  ['samples', 'receipt'],
]

/** Refuses flags that contradict each other, before anything is read or loaded. @throws SpoutError `usage`. */
export function checkFlags(options: Options): void {
  if (!options.bench) refuseBenchFlags(options)
  for (const [first, second] of CONFLICTS) {
    if (isSet(options[first]) && isSet(options[second])) throw conflict(first, second)
  }
  if (options.receipt !== undefined && options.receipt === options.output) throw conflict('receipt', 'output')
  const structured = options.json ? 'json' : options.jsonl ? 'jsonl' : undefined
  if (structured !== undefined && options.think === 'only') throw conflict(structured, 'think')
  checkStructureFlags(options)
  if (options.keepPrompt && (options.promptCache === false || options.promptCache === 'off'))
    throw conflict('keepPrompt', 'promptCache')
  if (options.samples !== undefined && !options.json && !options.bench) {
    throw new SpoutError('usage', '--samples: needs --json', { hint: 'add --json' })
  }
  if (options.logprobs !== undefined && structured === undefined) {
    throw new SpoutError('usage', '--logprobs: needs --json or --jsonl', { hint: 'add --json' })
  }
}

export function hasStructure(options: Options): boolean {
  return STRUCTURES.some((name) => isSet(options[name]))
}

/** Each says what the whole answer is. */
const STRUCTURES = ['schema', 'items', 'format', 'choice', 'regex', 'grammar'] as const
/** What stands beside one of them, and which it needs: any where none is named. */
const BESIDE: readonly (readonly [keyof Options, readonly (keyof Options)[]])[] = [
  ['minItems', ['items']],
  ['maxItems', ['items']],
  ['grammarFormat', ['grammar']],
  ['schemaPrompt', ['schema', 'items', 'format']],
  ['jsonStyle', ['schema', 'format']],
  ['openObjects', ['schema', 'items']],
  ['schemaLenient', ['schema']],
  ...(['onLimit', 'jump', 'explain', 'check'] as const).map((name) => [name, STRUCTURES] as const),
]

/** A structure says itself where it ends, and there is one. */
function checkStructureFlags(options: Options): void {
  const given = STRUCTURES.filter((name) => isSet(options[name]))
  if (given.length > 1) throw conflict(given[0]!, given[1]!)
  for (const [name, needed] of BESIDE) {
    if (!isSet(options[name]) || needed.some((each) => isSet(options[each]))) continue
    const [first, ...others] = needed.map(flagName)
    const which = others.length === 0 ? first : `${others.join(', ')} or ${first}`
    throw new SpoutError('usage', `${flagName(name)}: needs ${which}`)
  }
  const [structure] = given
  if (structure === undefined) return
  for (const other of ['ignoreEos', 'stop', 'bench'] as const)
    if (isSet(options[other])) throw conflict(structure, other)
  if (options.think === 'only') throw conflict(structure, 'think')
}

/** What a flag most likely is not meant to say. */
export function flagNotes({ stop = [] }: Options): string[] {
  return stop
    .filter((text) => /\\[nrt]/.test(text))
    .map(
      (text) =>
        `--stop ${JSON.stringify(text)}: a backslash and a letter; a shell writes the line end $'\\n'`,
    )
}

/** They would do nothing; whoever wrote one expects something. */
function refuseBenchFlags(options: Options): void {
  const isOfBench = (key: string): boolean => /^bench.|^failIfSlower$/.test(key)
  const key = Object.keys(options).find((name) => isOfBench(name) && isSet(options[name as keyof Options]))
  if (key !== undefined)
    throw new SpoutError('usage', `${flagName(key)}: needs --bench`, { hint: 'add --bench' })
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== false
}

function conflict(first: keyof Options, second: keyof Options): SpoutError {
  const [a, b] = [first, second].map(flagName)
  return new SpoutError('usage', `${a} and ${b}: only one of them at a time`)
}

/** `--max-tokens` of `maxTokens`. */
export function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`
}

/** What the flags say of a request: everything but the prompt and a structure. */
export function requestOptions(options: Options): Omit<RequestInput, 'prompt' | 'structure'> {
  return {
    raw: options.raw ?? false,
    allowSpecial: options.allowSpecial ?? false,
    maxTokens: options.maxTokens,
    stopStrings: options.stop ?? [],
    stopInReasoning: options.think === 'only',
    ignoreEos: options.ignoreEos ?? false,
    sampling: samplingFromFlags(options),
    drafts: options.drafts,
    templateArgs: Object.fromEntries(options.templateArg ?? []),
  }
}

function samplingFromFlags(options: Options): SamplingOptions {
  return {
    temperature: options.temperature,
    topK: options.topK,
    topP: options.topP,
    minP: options.minP,
    typicalP: options.typicalP,
    repetitionPenalty: options.repetitionPenalty,
    repeatLastN: options.repeatLastN,
    presencePenalty: options.presencePenalty,
    frequencyPenalty: options.frequencyPenalty,
    noRepeatNgramSize: options.noRepeatNgramSize,
    minNewTokens: options.minNewTokens,
    logitBias: options.logitBias === undefined ? undefined : new Map(options.logitBias),
    seed: options.seed,
    logprobs: options.logprobs === true ? 0 : options.logprobs,
  }
}
