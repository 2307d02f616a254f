/**
 * A limit on work that cannot be asked to stop: a regular expression that backtracks for ever. The engine itself is
 * interrupted, by the clock or by Ctrl-C, so the process stays alive and can be stopped. One call costs about 100 µs: it is
 * for patterns that a model file brings along, not for the known ones.
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
  /** What to say when the time is over. */
  readonly error: () => SpoutError
}

/**
 * Runs `work` on this thread, for `ms` at most.
 * @throws the error of the limit; SpoutError `failed` after Ctrl-C, once its handlers have run, and `os` where too few files
 * can be opened.
 */
export function withTimeLimit<T>(work: () => T, { ms, error }: TimeLimit): T {
  script ??= new Script(`globalThis[Symbol.for('${WORK.description}')]()`)
  const slot = globalThis as unknown as Record<symbol, unknown>
  checkDescriptors()
  slot[WORK] = work
  try {
    return script.runInThisContext({ timeout: ms, breakOnSigint: true }) as T
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error()
    if (code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw cause
    passOn('SIGINT')
    throw new SpoutError('failed', 'tokenizer: interrupted', { cause })
  } finally {
    delete slot[WORK]
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
