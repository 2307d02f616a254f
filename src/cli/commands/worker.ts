/** `spout worker`: the processes that keep a model loaded between runs. */
import { SpoutError } from '../../errors.ts'
import { bytesText, secondsText } from '../../system/quantities.ts'
import { escapeText, quote, toJson } from '../../system/text-display.ts'
import { openWorkerFolder } from '../../worker/place.ts'
import { WORKER_ACTIONS } from '../command-table.ts'
import type { Context } from '../context.ts'
import { WORKER_FLAGS } from '../flags.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { nearest } from '../nearest.ts'
import { parseCommandLine } from '../program.ts'
import { askStop, type FoundWorker, listWorkers } from '../worker/list-workers.ts'

interface WorkerOptions {
  readonly json?: boolean
}

function workerHelp(): string {
  return commandHelp({
    usage: 'spout worker [action]',
    summary:
      'A run with --keep-alive leaves a process behind that keeps the model loaded: later runs with the same model and settings are ' +
      'answered by it, to the same bytes, and start sooner. It goes when nobody has asked anything for that time. Only this user ' +
      'can reach it.',
    flags: WORKER_FLAGS,
    more: [
      section('Actions', Object.entries(WORKER_ACTIONS)),
      section('Examples', [
        ['spout --keep-alive 10m "..."', 'answers, and leaves a worker for ten minutes'],
        ['spout config set keep-alive 10m', 'so does every run'],
      ]),
    ],
  })
}

export async function workerCommand(argv: readonly string[], { stdout }: Context): Promise<void> {
  const [first, order] = argv
  // Not for people: see worker/leave-worker.ts.
  if (first === 'run' && argv.length === 2) {
    const { runWorker } = await import('../worker/run-worker.ts')
    return runWorker(order!)
  }
  const command = { name: 'spout worker', flags: WORKER_FLAGS, help: workerHelp, words: true }
  const { words, options } = parseCommandLine<WorkerOptions>(argv, command)
  const [action = 'status', ...others] = words
  if (others.length > 0) throw new SpoutError('usage', `worker: ${quote(others[0]!)} is one word too many`)
  if (!Object.hasOwn(WORKER_ACTIONS, action)) throw unknownAction(action)
  const folder = openWorkerFolder(process.env)
  const found = 'path' in folder ? await listWorkers(folder.path) : []
  const { text, document } = action === 'stop' ? await stop(found) : show(found)
  await stdout.write(options.json ? `${toJson(document, 2)}\n` : text)
  await stdout.flush()
}

function unknownAction(action: string): SpoutError {
  const near = nearest(action, Object.keys(WORKER_ACTIONS))
  return new SpoutError('usage', `worker: there is no action ${quote(action)}`, {
    hint: near === undefined ? 'spout help worker' : `spout worker ${near}`,
  })
}

interface Report {
  readonly text: string
  readonly document: object
}

function show(found: readonly FoundWorker[]): Report {
  const lines = found.map(({ status }) => {
    const { pid, model, dtype, active, answered, rssBytes, idleLeftMs } = status
    const doing =
      idleLeftMs === undefined ? `${active} under way` : `goes in ${secondsText(idleLeftMs)} if not asked`
    return `${model} (${dtype}): process ${pid}, ${bytesText(rssBytes)}, ${answered} answered, ${doing}`
  })
  const workers = found.map(({ status }) => ({
    ...{ pid: status.pid, model: status.model, dtype: status.dtype, rss_bytes: status.rssBytes },
    ...{ answered: status.answered, active: status.active, idle_left_ms: status.idleLeftMs ?? null },
  }))
  return { text: textOf(lines), document: { workers } }
}

async function stop(found: readonly FoundWorker[]): Promise<Report> {
  const asked = await Promise.all(
    found.map(async ({ path, status }) => ({ status, active: await askStop(path) })),
  )
  const ending = asked.flatMap(({ status, active }) => (active === undefined ? [] : [{ ...status, active }]))
  const lines = ending.map(({ pid, model, active }) => {
    const rest = active === 0 ? 'ends' : `ends after the ${active} that it is answering`
    return `${model}: process ${pid} ${rest}`
  })
  return {
    text: textOf(lines),
    document: { stopped: ending.map(({ pid, model, active }) => ({ pid, model, active })) },
  }
}

function textOf(lines: readonly string[]): string {
  return (lines.length === 0 ? ['no worker'] : lines).map((line) => `${escapeText(line)}\n`).join('')
}
