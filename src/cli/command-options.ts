import type { Options } from './options.ts'
import { withoutLocal } from './remote/engine-flags.ts'
import { withSettings } from './settings.ts'

/**
 * What the flags of a command say, over the settings of the user.
 * @throws SpoutError `usage` for a flag that does not stand beside a server of `--engine`; as `withSettings` does
 */
export function commandOptions<O extends Omit<Options, 'stdin' | 'newline'>>(given: O): O & Options {
  const all = { ...given, stdin: true, newline: true }
  return withoutLocal({ ...all, ...withSettings(all) }, all)
}
