/** The flags of `spout serve`. */
import { parseModel, parseNumber, parseText } from './flag-values.ts'
import { FLAGS, type Flag, LOADING, longName } from './flags.ts'
import type { Options } from './options.ts'

export interface ServeOptions extends Omit<Options, 'keep'> {
  readonly host?: string
  readonly port?: number
  readonly keyFile?: string
  readonly allowHost?: readonly string[]
  readonly allowOrigin?: readonly string[]
  readonly models?: readonly (readonly string[])[]
  /** Models. */
  readonly keep?: number
  readonly parallel?: number
  readonly queue?: number
  readonly grace?: number
  readonly stall?: number
}

const SHARED: ReadonlySet<string> = new Set([
  ...LOADING,
  ...['--chat-template', '--template-arg', '--max-tokens', '--drafts', '--think'],
])

const RESTATED: Readonly<Record<string, string>> = {
  '--max-tokens': 'most tokens of an answer whose request says nothing of it; 0: until the end',
  '--template-arg': 'a variable for the chat template, where a request does not set it',
  '--think': 'reasoning of a model: show (as reasoning_content), hide',
  '--verbose': 'a line for each request; nothing of what it says',
}

const MOST_PORT = 2 ** 16 - 1
const whole = (min: number, max: number) => (text: string) => parseNumber(text, { min, max, whole: true })
const seconds = (text: string): number => parseNumber(text, { min: 0, max: 86_400 })

const ONLY_SERVE: readonly Flag[] = [
  {
    flags: '--host <address>',
    help: 'where to listen (default: 127.0.0.1); one that others can reach needs a key',
    group: 'Server',
    parse: parseText,
  },
  {
    flags: '--port <n>',
    help: 'where to listen; 0: any that is free (default: 8080)',
    group: 'Server',
    parse: whole(0, MOST_PORT),
  },
  {
    flags: '--key-file <file>',
    help: 'keys, one on a line: clients need one of them (or SPOUT_API_KEY has it)',
    group: 'Server',
    parse: parseText,
    values: 'file',
  },
  {
    flags: '--allow-host <name>',
    help: 'a name that clients may call this server by, beside localhost and its address',
    group: 'Server',
    parse: parseText,
    repeatable: true,
  },
  {
    flags: '--allow-origin <origin>',
    help: 'pages from there may call, as in https://example.org; * is any',
    group: 'Server',
    parse: parseText,
    repeatable: true,
  },
  {
    flags: '--models <names>',
    help: 'more models, with commas between, by the name in a request; cached: all that are in the cache',
    group: 'Server',
    parse: (text) => text.split(',').map((name) => parseModel(name.trim())),
    repeatable: true,
    values: 'model',
  },
  {
    flags: '--keep <n>',
    help: 'most models that are loaded at once (default: as many as memory holds)',
    group: 'Server',
    parse: whole(1, 1024),
  },
  {
    flags: '--parallel <n>',
    help: 'texts that are written at once (default: 16)',
    group: 'Server',
    parse: whole(1, 1024),
  },
  {
    flags: '--queue <n>',
    help: 'texts that may wait; one more is refused with 429 (default: 256)',
    group: 'Server',
    parse: whole(0, 2 ** 20),
  },
  {
    flags: '--grace <seconds>',
    help: 'at SIGTERM: time for what is under way (default: 30)',
    group: 'Server',
    parse: seconds,
  },
  {
    flags: '--stall <seconds>',
    help: 'a client that reads nothing for so long is dropped (default: 30)',
    group: 'Server',
    parse: (text) => parseNumber(text, { min: 0, max: 86_400, above: true }),
  },
]

export const SERVE_FLAGS: readonly Flag[] = [
  ...FLAGS.filter((flag) => SHARED.has(longName(flag))).map((flag) => ({
    ...flag,
    help: RESTATED[longName(flag)] ?? flag.help,
  })),
  ...ONLY_SERVE,
]
