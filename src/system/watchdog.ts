/**
 * A clock in a thread of its own. The thread of the program may be too busy to see that its time is over (a template
 * that is rendered, an expression that goes back and back), or wait for a file that nobody opens at the other end.
 */
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'

export interface WatchdogOptions {
  readonly ms: number
  /** More time for a program that has seen the end itself, to deliver what it has. */
  readonly graceMs: number
  /** With which the process ends. */
  readonly code: number
  /** What is said then, on stderr and on stdout. */
  readonly stderr: string
  readonly stdout: string
}

export interface Watchdog {
  /** The program sees that its time is over, and ends by itself. False: too late, it is being ended. */
  heard(): boolean
  /** After `heard`: the program now says so itself. False: it took too long for that, it is said already, and the process is being ended. */
  tells(): boolean
}

/** How much later than the program's own clock. */
const LATER_MS = 300

/** Who has seen that the time is over: whoever is first, and only that one says so. */
const [NOBODY, PROGRAM, WATCHDOG, TOLD] = [0, 1, 2, 3]

/** In the other thread. An exit of the process's own would wait for this thread; where there is none, the process is killed. */
const CODE = `
const { workerData } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const [NOBODY, PROGRAM, WATCHDOG] = [${NOBODY}, ${PROGRAM}, ${WATCHDOG}]
const { heard, ms, graceMs, code, stderr, stdout, koffi } = workerData
const say = (descriptor, text) => {
  try {
    if (text !== '') writeSync(descriptor, text)
  } catch {}
}
let exit = () => process.kill(process.pid, 'SIGKILL')
try {
  exit = require(koffi).load(null).func('void _exit(int code)')
} catch {}
const end = () => {
  say(2, stderr)
  say(1, stdout)
  exit(code)
}
setTimeout(() => {
  if (Atomics.compareExchange(heard, 0, NOBODY, WATCHDOG) === NOBODY) return end()
  setTimeout(() => {
    if (Atomics.compareExchange(heard, 0, PROGRAM, WATCHDOG) === PROGRAM) end()
    else exit(code)
  }, graceMs)
}, ms + ${LATER_MS})
`

export function startWatchdog(options: WatchdogOptions): Watchdog {
  const heard = new Int32Array(new SharedArrayBuffer(4))
  const koffi = createRequire(import.meta.url).resolve('koffi')
  // Flags of the program's own, as those of `node -e`, are not for it.
  const worker = new Worker(CODE, { eval: true, execArgv: [], workerData: { ...options, heard, koffi } })
  // A thread that cannot be had is no reason to fail: the program's own clock runs.
  worker.on('error', () => undefined)
  worker.unref()
  const becomes = (from: number, to: number): boolean => Atomics.compareExchange(heard, 0, from, to) === from
  return { heard: () => becomes(NOBODY, PROGRAM), tells: () => becomes(PROGRAM, TOLD) }
}
