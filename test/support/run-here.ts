/**
 * Runs the built program within the process of the test: its own `start`, with the streams, the environment and the end of
 * a process of its own. A command then takes a fraction of the time that a process takes to start. For what is seen in texts
 * and exit codes; what is a property of a process (signals, pipes, terminals, descriptors, memory) needs a real one.
 */
import { createRequire } from 'node:module'
import { Readable, Writable } from 'node:stream'
import type { Ending } from '../../src/cli/main.ts'
import { ENVIRONMENT, noteFlags, ROOT, type RunOptions, type RunResult, runSpout } from './run-spout.ts'

type Start = (argv: readonly string[], ending: Ending) => Promise<void>

const { start } = createRequire(import.meta.url)(`${ROOT}/dist/bundle/start.cjs`) as { start: Start }

type HereOptions = Pick<RunOptions, 'env' | 'cwd'> & { readonly stdin?: string | Uint8Array }

let last: Promise<unknown> = Promise.resolve()

/** As `runSpout`, one command line after another; in a process where it must be one. */
export function runHere(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  if (!fitsHere(argv, options)) return runSpout(argv, options)
  const result = last.then(() => run(argv, options))
  last = result.catch(() => undefined)
  return result
}

/** What looks at its process, is ended from outside, or belongs to all that run in a process. */
const PROCESS_FLAGS = /^--(timeout|bench|device)|^(serve|devices|bench)$|^\/(dev|proc)\//
const PROCESS_VARIABLES = /^(NODE_|VK_|FORCE_COLOR|NO_COLOR|TERM|LD_|SPOUT_DEBUG|PATH)/

function fitsHere(argv: readonly string[], options: RunOptions): options is HereOptions {
  const { stdin, env = {}, shell, mostMs, onStart } = options
  if (stdin === 'open' || shell !== undefined || mostMs !== undefined || onStart !== undefined) return false
  return (
    !argv.some((word) => PROCESS_FLAGS.test(word)) &&
    !Object.keys(env).some((name) => PROCESS_VARIABLES.test(name))
  )
}

async function run(argv: readonly string[], options: HereOptions): Promise<RunResult> {
  const out = collector()
  const err = collector()
  const code = await asProcess({ ...options, out: out.stream, err: err.stream }, () => untilEnd(argv))
  noteFlags(argv.join(' '), code)
  const bytes = out.bytes()
  return { stdout: bytes.toString(), bytes, stderr: err.bytes().toString(), code, signal: null }
}

/** @returns the exit code */
async function untilEnd(argv: readonly string[]): Promise<number> {
  const code = await new Promise<number | undefined>((done, failed) => {
    const ending: Ending = { exit: () => done(undefined), leave: done }
    start(argv, ending).then(() => done(undefined), failed)
  })
  return code ?? Number(process.exitCode ?? 0)
}

interface Streams {
  readonly out: Writable
  readonly err: Writable
}

/** Events that the program listens to until its process ends. */
const HEARD = ['uncaughtException', 'SIGUSR1', 'SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Runs `work` where `process` is that of the program. */
async function asProcess<T>(
  { stdin, env, cwd, out, err }: HereOptions & Streams,
  work: () => Promise<T>,
): Promise<T> {
  const undo = [
    replaceEnvironment({ ...ENVIRONMENT, ...env }),
    replaceStream(
      'stdin',
      Readable.from(stdin === undefined || stdin.length === 0 ? [] : [Buffer.from(stdin)]),
    ),
    replaceStream('stdout', out),
    replaceStream('stderr', err),
    ...HEARD.map(forgetListeners),
    keepFolder(cwd ?? ROOT),
    keepExitCode(),
  ]
  try {
    return await work()
  } finally {
    for (const each of undo.reverse()) each()
  }
}

/** In place: what asks the system for the home folder looks there. */
function replaceEnvironment(env: NodeJS.ProcessEnv): () => void {
  const before = { ...process.env }
  const set = (values: NodeJS.ProcessEnv): void => {
    for (const name of Object.keys(process.env)) delete process.env[name]
    for (const [name, value] of Object.entries(values)) if (value !== undefined) process.env[name] = value
  }
  set(env)
  return () => set(before)
}

function replaceStream(name: 'stdin' | 'stdout' | 'stderr', stream: Readable | Writable): () => void {
  const before = Object.getOwnPropertyDescriptor(process, name)!
  Object.defineProperty(process, name, { configurable: true, enumerable: true, value: stream })
  return () => Object.defineProperty(process, name, before)
}

function forgetListeners(event: (typeof HEARD)[number]): () => void {
  const before = new Set(process.rawListeners(event))
  return () => {
    for (const listener of process.rawListeners(event))
      if (!before.has(listener)) process.off(event, listener as () => void)
  }
}

function keepFolder(folder: string): () => void {
  const before = process.cwd()
  process.chdir(folder)
  return () => process.chdir(before)
}

function keepExitCode(): () => void {
  const before = process.exitCode
  process.exitCode = undefined
  return () => {
    process.exitCode = before
  }
}

interface Collector {
  readonly stream: Writable
  bytes(): Buffer
}

function collector(): Collector {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  return { stream, bytes: () => Buffer.concat(chunks) }
}
