/** `spout serve`: a model that stays loaded, for every client that speaks OpenAI's interface. */
import { SpoutError } from '../../errors.ts'
import type { EndedRequest } from '../../server/server.ts'
import { ApiServer } from '../../server/server.ts'
import type { ServedModel } from '../../server/shelf.ts'
import { durationText } from '../../system/quantities.ts'
import { ignoreHangup, outlivesTerminal } from '../background-job.ts'
import type { Context } from '../context.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { dieOf, Interrupted, type InterruptSignal } from '../interrupt.ts'
import { parseCommandLine } from '../program.ts'
import { readKeys } from '../serve/keys.ts'
import { checkHandedOver, listenAt, listenError, urlOf } from '../serve/listen-at.ts'
import { servedModels } from '../serve/served-models.ts'
import { SERVE_FLAGS, type ServeOptions } from '../serve-flags.ts'
import { namingSettings, withSettings } from '../settings.ts'
import { noteEmbedded } from '../terminal/embedded-note.ts'
import { asSpoutError, writeLine } from '../terminal/messages.ts'
import { openStatusLine } from '../terminal/status-line.ts'

const DEFAULTS = { parallel: 16, queue: 256, grace: 30, stall: 30 }
/** A stream says that it is alive after so long without a word, in ms. */
const COMMENT_MS = 10_000
const REQUEST_MS = { headers: 10_000, all: 30_000 }
const MOST_CONNECTIONS = 2048

function serveHelp(): string {
  return commandHelp({
    usage: 'spout serve [options]',
    summary:
      "Keeps a model loaded and answers by HTTP, as OpenAI's interface has it: /v1/chat/completions, /v1/completions, " +
      '/v1/models, and /health and /metrics. Requests that come at once are written together. It listens on this machine only; ' +
      'an address that others can reach needs a key. SIGTERM and Ctrl-C let what is under way end; a second one ends at once.',
    more: [
      section('Examples', [
        ['spout serve -m org/name', 'at http://127.0.0.1:8080/v1'],
        ['spout serve --models cached --keep 2', 'all that are in the cache, by name'],
        ['spout serve --host 0.0.0.0 --key-file keys', 'for others'],
      ]),
    ],
    flags: SERVE_FLAGS,
  })
}

export async function serveCommand(argv: readonly string[], context: Context): Promise<void> {
  const line = { name: 'spout serve', flags: SERVE_FLAGS, help: serveHelp }
  const { options: given } = parseCommandLine<ServeOptions>(argv, line)
  const { keep: _, ...flags } = given
  const { keep: __, ...settings } = withSettings({ ...flags, stdin: true, newline: true })
  const options: ServeOptions = { ...given, ...settings }
  if (options.think === 'only') {
    throw new SpoutError('usage', '--think: only show or hide here', { hint: 'clients tell reasoning apart' })
  }
  try {
    await serve(options, context)
  } catch (error) {
    throw namingSettings(error, given)
  }
}

async function serve(options: ServeOptions, context: Context): Promise<never> {
  const { keys, note } = readKeys(options.keyFile)
  if (note !== undefined && !options.quiet) writeLine(note)
  const at = await listenAt(options, keys.length > 0)
  noteEmbedded(options)
  const status = openStatusLine({ enabled: !options.quiet, color: options.color })
  status.show('loading the model')
  const models = await servedModels(options, context).finally(() => status.clear())
  const server = serverOf(options, models, keys)
  status.show('loading the model')
  const first = await server.shelf.lease(models[0]!, context.interrupts.signal).finally(() => status.clear())
  first.release()
  const signal = nextSignal()
  const address = await server.listen(at).catch((cause: unknown) => {
    throw listenError(cause)
  })
  checkHandedOver(address, keys.length > 0)
  if (!options.quiet)
    writeLine(`serving ${models.map(({ name }) => name).join(', ')} at ${urlOf(address)}/v1`)
  const name = await signal
  const { grace = DEFAULTS.grace } = options
  if (!options.quiet) writeLine(`${name}: no new requests; what is under way has ${grace} s`)
  await server.drain(1000 * grace)
  throw new Interrupted(name)
}

function serverOf(options: ServeOptions, models: readonly ServedModel[], keys: readonly string[]): ApiServer {
  const { parallel, queue, stall } = { ...DEFAULTS, ...options }
  return new ApiServer({
    models,
    keep: options.keep ?? models.length,
    guard: { hosts: options.allowHost ?? [], origins: options.allowOrigin ?? [], keys },
    line: { most: parallel, mostWaiting: queue },
    reply: { stallMs: 1000 * stall, commentMs: COMMENT_MS },
    requestMs: REQUEST_MS,
    mostConnections: MOST_CONNECTIONS,
    defaults: {
      maxTokens: options.maxTokens,
      drafts: options.drafts,
      templateArgs: Object.fromEntries(options.templateArg ?? []),
    },
    think: options.think === 'hide' ? 'hide' : 'show',
    asSpoutError,
    onEnd: options.verbose ? (ended) => writeLine(endedText(ended)) : undefined,
    onFailure: options.quiet ? undefined : ({ message }) => writeLine(`error: ${message}`),
  })
}

/** Nothing of what was asked or answered. */
function endedText({ method, route, status, ms, tokens }: EndedRequest): string {
  const counts = tokens === undefined ? '' : `, ${tokens.prompt} + ${tokens.completion} tokens`
  return `${/^[A-Z]{1,10}$/.test(method) ? method : '?'} ${route} ${status}, ${durationText(ms)}${counts}`
}

/** The first signal; from then on one ends the process at once. */
function nextSignal(): Promise<InterruptSignal> {
  ignoreHangup()
  const heard = (['SIGTERM', 'SIGINT', 'SIGHUP'] as const).filter(
    (name) => name !== 'SIGHUP' || !outlivesTerminal,
  )
  return new Promise((resolve) => {
    const hear = (name: NodeJS.Signals): void => {
      for (const each of heard) {
        process.off(each, hear)
        process.on(each, () => dieOf(name as InterruptSignal))
      }
      resolve(name as InterruptSignal)
    }
    for (const name of heard) process.on(name, hear)
  })
}
