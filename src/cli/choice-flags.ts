/** What `--choices` and the flags beside it say, checked before anything is read or loaded. */
import { existsSync } from 'node:fs'
import { checkChoices } from '../engine/score-request.ts'
import { SpoutError } from '../errors.ts'
import type { Options } from './options.ts'
import { readText } from './prompt-source.ts'
import { flagName } from './request-from-flags.ts'

/** Nothing is written token by token, so that these would do nothing. */
const USELESS = [
  ...['schema', 'items', 'format', 'choice', 'regex', 'grammar', 'stop', 'ignoreEos', 'maxTokens'],
  ...['temperature', 'topK', 'topP', 'typicalP', 'repetitionPenalty', 'repeatLastN', 'presencePenalty'],
  ...['frequencyPenalty', 'noRepeatNgramSize', 'logitBias', 'minNewTokens', 'seed', 'logprobs', 'samples'],
  ...['jsonl', 'drafts', 'draftModel', 'expect', 'receipt', 'bench', 'think', 'dryRun'],
] as const satisfies readonly (keyof Options)[]
/** They need `--choices`. */
const BESIDE = ['else', 'calibrate'] as const satisfies readonly (keyof Options)[]

/** @throws SpoutError `usage` */
export function checkChoiceFlags(options: Options): void {
  const isSet = (key: keyof Options): boolean => options[key] !== undefined && options[key] !== false
  if (options.choices === undefined) {
    const orphan = BESIDE.find(isSet) ?? (options.choicePrior === false ? 'choicePrior' : undefined)
    if (orphan === undefined) return
    const name = orphan === 'choicePrior' ? '--no-choice-prior' : flagName(orphan)
    throw new SpoutError('usage', `${name}: needs --choices`)
  }
  const useless = USELESS.find(isSet)
  if (useless !== undefined)
    throw new SpoutError('usage', `--choices and ${flagName(useless)}: only one of them at a time`, {
      hint: 'nothing is drawn: the answer is the likeliest of the choices',
    })
  if (options.minP !== undefined && options.else === undefined)
    throw new SpoutError('usage', '--min-p: with --choices it needs --else', { hint: '--else unsure' })
}

/** The choices: a list with commas between, or a file with one a line. @throws SpoutError `usage`, `not-found`, `data` */
export async function readChoices(written: string): Promise<string[]> {
  const isFile = written.startsWith('@') || (!written.includes(',') && existsSync(written))
  const text = isFile ? await readText(written.replace(/^@/, '')) : written
  const choices = text.split(isFile ? /\r?\n/ : ',').map((choice) => choice.trim())
  const given = isFile ? choices.filter((choice) => choice !== '') : choices
  checkChoices(given)
  return given
}
