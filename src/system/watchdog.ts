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
  /** The program sees that its time is over, and ends by itself. */
  heard(): void
}

/** How much later than the program's own clock. */
const LATER_MS = 300

/** In the other thread. An exit of the process's own would wait for this thread; where there is none, the process is killed. */
const CODE = `
const { workerData } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const { heard, ms, graceMs, code, stderr, stdout, koffi } = workerData
const say = (descriptor, text) => {
  try {
    if (text !== '') writeSync(descriptor, text)
  } catch {}
}
const end = () => {
  say(2, stderr)
  say(1, stdout)
  try {
    require(koffi).load(null).func('void _exit(int code)')(code)
  } catch {}
  process.kill(process.pid, 'SIGKILL')
}
setTimeout(() => {
  if (Atomics.load(heard, 0) === 0) end()
  else setTimeout(end, graceMs)
}, ms + ${LATER_MS})
`

export function startWatchdog(options: WatchdogOptions): Watchdog {
  const heard = new Int32Array(new SharedArrayBuffer(4))
  const koffi = createRequire(import.meta.url).resolve('koffi')
  const worker = new Worker(CODE, { eval: true, workerData: { ...options, heard, koffi } })
  // A thread that cannot be had is no reason to fail: the program's own clock runs.
  worker.on('error', () => undefined)
  worker.unref()
  return { heard: () => void Atomics.store(heard, 0, 1) }
}
