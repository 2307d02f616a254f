/** Runs the built program as a shell would, and collects what it says. */
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../..')
export const SPOUT = join(ROOT, 'bin/spout.js')

/** A home of its own for each test file: no setting of the user's reaches the program. */
export const HOME = mkdtempSync(join(tmpdir(), 'spout-home-'))
process.on('exit', () => rmSync(HOME, { recursive: true, force: true }))

export const ENVIRONMENT: NodeJS.ProcessEnv = {
  PATH: process.env.PATH,
  HOME,
  LANG: 'C.UTF-8',
  TERM: 'xterm-256color',
  HF_HUB_OFFLINE: '1',
  // Nothing of one test goes on beside the next; test/cli/prepare.test.ts takes it away.
  SPOUT_NO_PREPARE: '1',
  // Nor is anything left for it; test/cli/prompt-cache.test.ts takes it away.
  SPOUT_PROMPT_CACHE: 'off',
}

export interface RunOptions {
  /** What is piped in; absent: nothing, and the end at once. `open`: a pipe that stays open and silent. */
  readonly stdin?: string | Uint8Array | 'open'
  /** Added to a bare environment. */
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** A shell command in which `spout` is the program; the arguments are then $1, $2, ... */
  readonly shell?: string
  /** How long it may take before it is taken for one that hangs. */
  readonly mostMs?: number
  /** Told of the process as soon as there is one. */
  readonly onStart?: (child: ChildProcess) => void
}

export interface RunResult {
  readonly stdout: string
  readonly bytes: Buffer
  readonly stderr: string
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** No run of a test takes longer than this unless it hangs, on a machine that is busy as well. */
const HANGS_MS = 100_000

export function runSpout(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = start(argv, options)
  options.onStart?.(child)
  const out = collect(child.stdout)
  const err = collect(child.stderr)
  child.stdin?.on('error', () => undefined)
  if (options.stdin !== 'open') child.stdin?.end(options.stdin ?? '')
  const timer = setTimeout(() => child.kill('SIGKILL'), options.mostMs ?? HANGS_MS)
  return new Promise((done, failed) => {
    child.on('error', failed)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      child.stdin?.destroy()
      noteFlags([...argv, options.shell ?? ''].join(' '), code)
      const bytes = Buffer.concat(out)
      done({ stdout: bytes.toString(), bytes, stderr: Buffer.concat(err).toString(), code, signal })
    })
  })
}

function start(argv: readonly string[], { shell, env, cwd }: RunOptions): ChildProcess {
  const options = { cwd: cwd ?? ROOT, env: { ...ENVIRONMENT, ...env } }
  if (shell === undefined) return spawn(process.execPath, [SPOUT, ...argv], options)
  const define = `spout() { ${quote(process.execPath)} ${quote(SPOUT)} "$@"; }; `
  return spawn('bash', ['-c', define + shell, 'bash', ...argv], options)
}

/**
 * Of a whole run of the tests (see contract-report.ts): the flags that the program was given, and did not refuse.
 * @param said a command, or its words
 */
export function noteFlags(said: string, code: number | null): void {
  const file = process.env.SPOUT_TEST_FLAGS
  if (file === undefined || code === USAGE) return
  const flags = said.match(/(?<![\w-])--[a-z][\w-]*/g) ?? []
  appendFileSync(file, [...flags, ''].join('\n'))
}

/** Exit code of a command line that is not understood. */
const USAGE = 2

function collect(stream: NodeJS.ReadableStream | null): Buffer[] {
  const chunks: Buffer[] = []
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return chunks
}

/** A word for a shell. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** Resolves when `stream` has said `text`. */
export function said(stream: NodeJS.ReadableStream | null, text: string | RegExp): Promise<void> {
  return new Promise((done, failed) => {
    let seen = ''
    stream?.on('data', (chunk: Buffer) => {
      seen += chunk.toString()
      if (typeof text === 'string' ? seen.includes(text) : text.test(seen)) done()
    })
    stream?.on('end', () => failed(new Error(`ended without ${text}: ${seen}`)))
  })
}

/** @throws when the program was not built since its sources changed: its tests would prove nothing. */
export function assertBuilt(): void {
  const built = statSync(join(ROOT, 'dist/bundle/start.cjs'), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  const newest = Math.max(...sources.map((file) => statSync(join(ROOT, 'src', file)).mtimeMs))
  if (built < newest) throw new Error('dist/ is older than src/: npm run build')
}
assertBuilt()
