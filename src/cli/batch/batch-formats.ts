/** Which formats the flags of `spout batch` ask for, and which flags contradict each other. */
import type { InputFormat } from '../../batch/input-format.ts'
import type { OutputFormat } from '../../batch/output-format.ts'
import { SpoutError } from '../../errors.ts'
import type { BatchOptions } from '../batch-flags.ts'
import { checkFlags, flagName } from '../request-from-flags.ts'

const CONFLICTS: readonly (readonly [keyof BatchOptions, keyof BatchOptions])[] = [
  ['csv', 'tsv'],
  ['csv', 'text'],
  ['tsv', 'text'],
  ['text', 'unordered'],
  ['text', 'withInput'],
  ['fresh', 'retryErrors'],
]
/** Flags without a meaning where answers go to a stream. */
const OF_FILES: readonly (keyof BatchOptions)[] = ['fresh', 'retryErrors']

/** @throws SpoutError `usage`. */
export function checkBatchFlags(options: BatchOptions): void {
  const { logprobs: _, json: __, ...rest } = options
  checkFlags(rest)
  for (const [first, second] of CONFLICTS) {
    if (options[first] && options[second]) {
      throw new SpoutError('usage', `${flagName(first)} and ${flagName(second)}: only one of them at a time`)
    }
  }
  const { output, json, dryRun } = options
  const orphan = output === undefined || output === '-' ? OF_FILES.find((key) => options[key]) : undefined
  if (orphan !== undefined)
    throw new SpoutError('usage', `${flagName(orphan)}: needs -o`, { hint: 'add -o FILE' })
  if (json && !dryRun) {
    throw new SpoutError('usage', '--json: of --dry-run; answers are lines of JSON anyway', {
      hint: 'leave it out',
    })
  }
}

/** `--csv` and `--tsv` are of the input, too, unless `--input` says otherwise. `undefined`: content tells. */
export function inputFormatOf({ input, csv, tsv }: BatchOptions): InputFormat | undefined {
  return input ?? (csv ? 'csv' : tsv ? 'tsv' : undefined)
}

export function outputFormatOf({ csv, tsv, text }: BatchOptions): OutputFormat {
  return csv ? 'csv' : tsv ? 'tsv' : text ? 'text' : 'json'
}
