/**
 * A limit on work that cannot be asked to stop: a regular expression that backtracks for ever. The engine itself is
 * interrupted, by the clock or by Ctrl-C, so the process stays alive and can be stopped. One call costs about 100 µs: it is
 * for patterns that a model file brings along, not for the known ones.
 *
 * Ctrl-C cuts off only what has taken long already: Node then takes the handlers of SIGINT away while a script runs, and a
 * signal that came just before, for which no handler has been called yet, is lost with them (`breakOnSigint` of `vm.Script`
 * closes the signal handle of libuv). Work that ends soon keeps its handlers: they are called after it.
 */
import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { Script } from 'node:vm'
import { SpoutError } from '../errors.ts'

/** The work of the call under way, where the script finds it. */
const WORK = Symbol.for('spout.tokenizer.work')

let script: Script | undefined

interface TimeLimit {
  readonly ms: number
  /**
   * True of work that leaves nothing half done where it is cut off: what takes long is begun once more, and Ctrl-C then cuts
   * it off. Of other work Ctrl-C is heard when it ends.
   */
  readonly mayRunTwice?: boolean
  /** What to say when the time is over. */
  readonly error: () => SpoutError
}

/** Work that takes no longer does not need to be interrupted by a signal. */
const SOON_MS = 100

/**
 * Runs `work` on this thread, for `ms` at most.
 * @throws the error of the limit; SpoutError `failed` after Ctrl-C has cut it off, once its handlers have run, and `os` where
 * too few files can be opened.
 */
export function withTimeLimit<T>(work: () => T, { ms, error, mayRunTwice = false }: TimeLimit): T {
  const slot = globalThis as unknown as Record<symbol, unknown>
  checkDescriptors()
  slot[WORK] = work
  try {
    const done = mayRunTwice ? (runFor(SOON_MS, false) ?? runFor(ms, true)) : runFor(ms, false)
    if (done === undefined) throw error()
    return done.result as T
  } finally {
    delete slot[WORK]
  }
}

/**
 * Runs the work in the slot for `ms` at most.
 * @returns undefined when that was too short
 * @throws SpoutError `failed` after Ctrl-C
 */
function runFor(ms: number, breakOnSigint: boolean): { result: unknown } | undefined {
  script ??= new Script(`globalThis[Symbol.for('${WORK.description}')]()`)
  try {
    return { result: script.runInThisContext({ timeout: ms, breakOnSigint }) }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined
    if (code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw cause
    passOn('SIGINT')
    throw new SpoutError('failed', 'tokenizer: interrupted', { cause })
  }
}

/** An event loop of its own: epoll, io_uring, a pipe and an event; and one to spare. */
const WATCHING = 6

/** Node opens files to watch over a script, and ends the process where it cannot. @throws SpoutError `os` */
function checkDescriptors(): void {
  const opened: number[] = []
  try {
    while (opened.length < WATCHING) opened.push(openSync(devNull, 'r'))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'EMFILE' && code !== 'ENFILE') return
    throw new SpoutError('os', `system: ${code}: too many open files`, {
      hint: 'ulimit -a shows the limits',
      cause,
    })
  } finally {
    for (const file of opened) closeSync(file)
  }
}

/** What the signal would have done: its handlers, or the end of the process. */
function passOn(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 0) process.emit(signal, signal)
  else process.kill(process.pid, signal)
}
