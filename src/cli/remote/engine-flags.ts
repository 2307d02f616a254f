/** What `--engine` says, and which flags do not stand beside it: a server elsewhere can be told some things only. */
import { SpoutError } from '../../errors.ts'
import { isLoopback } from '../../hub/reach.ts'
import type { Options } from '../options.ts'
import { flagName } from '../request-from-flags.ts'

/** Of the model and the machine here. As settings they are of runs here. */
const OF_HERE = [
  ...(['dtype', 'device', 'threads', 'ctxSize', 'cacheDir', 'precise', 'runtime'] as const),
  ...(['keepPrompt', 'drafts', 'draftModel', 'keepAlive'] as const),
] as const satisfies readonly (keyof Options)[]

/** What no server can be told, or promise. */
const NOT_ELSEWHERE: readonly (readonly [keyof Options, why: string])[] = [
  ['receipt', 'the bits of a server are not promised'],
  ['bench', 'it measures what runs here'],
  ['dryRun', 'the tokens are counted by a model here'],
  ['chatTemplate', "the server's own is used"],
  ['allowSpecial', 'a server decides that itself'],
  ['expect', 'a server has no field for it'],
  ['repeatLastN', 'a server has no field for it'],
  ['noRepeatNgramSize', 'a server has no field for it'],
  ...(['schema', 'items', 'format', 'choice', 'regex', 'grammar'] as const).map(
    (name) => [name, 'what a server makes of a structure is not promised'] as const,
  ),
]

/** The addresses of the servers; none: the model runs here. */
export function serversOf({ engine = [] }: Pick<Options, 'engine'>): readonly string[] {
  return [...new Set(engine.flat())]
}

/**
 * The options of a run elsewhere, without what settings say of runs here.
 * @param given what the flags say
 * @throws SpoutError `usage` for a flag that a server cannot be told
 */
export function withoutLocal<O extends Options>(options: O, given: Options): O {
  const servers = serversOf(options)
  if (servers.length === 0) return options
  const isSet = (value: unknown): boolean => value !== undefined && value !== false && value !== 'off'
  const here = OF_HERE.find((key) => isSet(given[key]))
  if (here !== undefined) throw refused(here, 'it is of a model that runs here')
  const [other, why] = NOT_ELSEWHERE.find(([key]) => isSet(options[key])) ?? []
  if (other !== undefined) throw refused(other, why!)
  const away = servers.find((server) => !isLoopback(new URL(server).hostname))
  if (options.offline && away !== undefined)
    throw new SpoutError('usage', `--offline and --engine ${away}: only one of them at a time`)
  return { ...options, ...Object.fromEntries(OF_HERE.map((key) => [key, undefined])) }
}

function refused(key: keyof Options, why: string): SpoutError {
  return new SpoutError('usage', `${flagName(key)}: not with --engine: ${why}`, {
    hint: `leave ${flagName(key)} out, or run here with --engine local`,
  })
}
