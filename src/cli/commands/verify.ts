/** `spout verify FILE`: runs what a receipt tells of again, and says whether the same ids come out; if not, what differs. */
import type { Engine, EngineResult } from '../../engine/engine.ts'
import { requestFromJson } from '../../engine/request-json.ts'
import { SpoutError } from '../../errors.ts'
import type { Dtype, ResolvedModel } from '../../model/resolved-model.ts'
import { EMBEDDED_MODEL } from '../../open/embedded-model.ts'
import { openEngine } from '../../open/open-engine.ts'
import type { OpenEngineOptions } from '../../open/open-options.ts'
import { filesDifferences } from '../../receipt/compare-receipts.ts'
import { hashModelFiles } from '../../receipt/model-files.ts'
import { parseReceipt, type Receipt } from '../../receipt/receipt.ts'
import { hashingText, receiptOf } from '../../receipt/receipt-of.ts'
import { type Verdict, verdictOf } from '../../receipt/verdict.ts'
import { toJson } from '../../system/text-display.ts'
import type { Trace } from '../../trace.ts'
import type { Context } from '../context.ts'
import { engineOptions } from '../engine-options.ts'
import { VERIFY_FLAGS } from '../flags.ts'
import { commandHelp } from '../help/help-text.ts'
import type { Options } from '../options.ts'
import { parseCommandLine } from '../program.ts'
import { readText } from '../prompt-source.ts'
import { fixClock } from '../receipt-file.ts'
import { namingSettings, withSettings } from '../settings.ts'
import { writeLine } from '../terminal/messages.ts'
import { differenceLine, harmlessLines, verdictJson, verdictText } from '../terminal/verdict-text.ts'
import { version } from '../version.ts'

function verifyHelp(): string {
  return commandHelp({
    usage: 'spout verify FILE',
    summary:
      'Runs the request of a receipt (spout --receipt FILE) again, with its seed, and compares: model files, template, settings, and every token. Exit code 0: the same tokens and text; 1: not the same, with the first token that differs and what is different.',
    flags: VERIFY_FLAGS,
  })
}

export async function verifyCommand(argv: readonly string[], context: Context): Promise<void> {
  const command = { name: 'spout verify', flags: VERIFY_FLAGS, help: verifyHelp, words: true }
  const { words, options: given } = parseCommandLine<Options>(argv, command)
  const [path] = words
  if (path === undefined || words.length > 1) {
    throw new SpoutError('usage', 'verify: one receipt is needed', { hint: 'spout verify FILE' })
  }
  const then = parseReceipt(await readText(path))
  try {
    await verify(then, { given, options: withSettings(given), context })
  } catch (error) {
    throw namingSettings(error, given)
  }
}

interface Job {
  /** What the flags say; a setting of the user's must not take the place of what the receipt says. */
  readonly given: Options
  readonly options: Options
  readonly context: Context
}

async function verify(then: Receipt, job: Job): Promise<void> {
  const { options, context } = job
  fixClock(then.clock)
  let resolved: ResolvedModel | undefined
  const opening = openingOf(then, job)
  const onResolved = (model: ResolvedModel): void => {
    resolved = model
    opening.onResolved?.(model)
  }
  try {
    const engine = await openEngine({ ...opening, onResolved })
    const verdict = await judge(then, { engine, resolved: resolved!, job })
    if (options.verbose) for (const line of harmlessLines(verdict)) writeLine(line)
    await context.stdout.write(options.json ? `${toJson(verdictJson(verdict), 2)}\n` : verdictText(verdict))
    await context.stdout.flush()
    if (!verdict.isEqual) process.exitCode = 1
  } catch (error) {
    // A model that cannot be run at all is most likely another one.
    if (resolved !== undefined && !options.quiet) await sayChangedFiles(then, resolved)
    throw error
  }
}

interface Opened {
  readonly engine: Engine
  readonly resolved: ResolvedModel
  readonly job: Job
}

async function judge(then: Receipt, { engine, resolved, job }: Opened): Promise<Verdict> {
  const { interrupts } = job.context
  interrupts.listen()
  const { result, textHash, pieces } = await runAgain(then, engine, interrupts.signal)
  interrupts.signal.throwIfAborted()
  const now = await receiptOf({
    ...{ engine, resolved, result, textHash, clock: then.clock, signal: interrupts.signal },
    request: requestFromJson(then.request),
    version: version(),
    precise: then.made_by.precise,
    templateFile: job.options.chatTemplate,
  })
  return verdictOf(then, now, pieces)
}

async function sayChangedFiles({ model }: Receipt, resolved: ResolvedModel): Promise<void> {
  const files = await hashModelFiles(resolved).catch(() => model.files)
  for (const each of filesDifferences(model.files, files)) writeLine(differenceLine(each))
}

/** The model, and how it ran, as the receipt has them; what cannot change an id as this machine and its user have it. */
function openingOf({ model, made_by }: Receipt, { given, options, context }: Job): OpenEngineOptions {
  const named = model.id === EMBEDDED_MODEL.name ? undefined : model.id
  const pinned = named !== undefined && model.revision !== null && !named.includes('@')
  return {
    ...engineOptions(options, context),
    model: given.model ?? (pinned ? `${named}@${model.revision}` : named),
    dtype: model.dtype as Dtype,
    device: given.device ?? (made_by.device === 'cpu' ? 'cpu' : 'gpu'),
    runtime: given.runtime,
    precise: made_by.precise,
    contextLength: made_by.context,
    wantsChat: false,
  }
}

interface Again {
  readonly result: EngineResult
  readonly textHash: string
  /** The texts of its tokens. */
  readonly pieces: readonly string[]
}

/** The same request with the same seed, up to the first token that is another. */
async function runAgain(then: Receipt, engine: Engine, signal: AbortSignal): Promise<Again> {
  const request = requestFromJson(then.request)
  const expected = then.answer.token_ids
  const pieces: string[] = []
  const differs = new AbortController()
  const trace: Trace = (event, { id, piece, eos }) => {
    if (event !== 'token' || eos === true) return
    if (id !== expected[pieces.length]) differs.abort()
    pieces.push(String(piece))
  }
  const { sink, digest } = hashingText({
    token: () => undefined,
    lastPiece: () => undefined,
    reasoning: () => undefined,
  })
  const result = await engine.generate(
    { ...request, sampling: { ...request.sampling, seed: BigInt(then.seed) } },
    { sink, signal: AbortSignal.any([signal, differs.signal]), trace },
  )
  return { result, textHash: digest(), pieces }
}
