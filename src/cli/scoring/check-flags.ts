/** Flags that contradict each other, of the verbs that score. */
import { SpoutError } from '../../errors.ts'
import type { Options } from '../options.ts'
import { flagName } from '../request-from-flags.ts'

/** @throws SpoutError `usage` for two that are given and may not stand together */
export function refuseTogether<O extends object>(
  options: O,
  pairs: readonly (readonly [keyof O & string, keyof O & string])[],
): void {
  const isSet = (value: unknown): boolean => value !== undefined && value !== false
  for (const [a, b] of pairs) {
    if (isSet(options[a]) && isSet(options[b]))
      throw new SpoutError('usage', `${flagName(a)} and ${flagName(b)}: only one of them at a time`)
  }
}

/** Of how a question is put. */
export function checkQuestionFlags(options: Options): void {
  refuseTogether(options, [
    ['system', 'systemFile'],
    ['raw', 'chatTemplate'],
    ['raw', 'templateArg'],
  ])
}
