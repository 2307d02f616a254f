/** Takes samples of an arm in processes of their own: starting, loading and ending count. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { SpoutError } from '../errors.ts'
import { PACKAGE_ROOT } from '../system/package-root.ts'
import type { ArmSpec, BenchTask } from './arm.ts'
import type { ArmSampler } from './arm-sampler.ts'
import type { Figures } from './figures.ts'
import type { Measured } from './sample.ts'

/** What a process is told on stdin. */
export interface ProcessJob {
  readonly spec: ArmSpec
  readonly task: BenchTask
}

/** What it says on stdout: one line of JSON. */
export type ProcessAnswer =
  | { readonly figures: Figures; readonly ids: readonly number[]; readonly cpuMs: number }
  | { readonly error: string }

const PROGRAM = join(PACKAGE_ROOT, 'dist/bench/sample-process.js')

export function sampleFresh(job: ProcessJob): ArmSampler {
  return {
    // It reads the files into the system's cache.
    warmUp: async (signal) => (await measure(job, signal)).figures.requestMs,
    measure: (signal) => measure(job, signal),
    dispose: async () => undefined,
  }
}

async function measure(job: ProcessJob, signal: AbortSignal | undefined): Promise<Measured> {
  signal?.throwIfAborted()
  const startedAt = performance.now()
  const text = await run(JSON.stringify(job), signal)
  const requestMs = performance.now() - startedAt
  const answer = JSON.parse(text) as ProcessAnswer
  if ('error' in answer) throw new SpoutError('failed', answer.error)
  const { figures, ids, cpuMs } = answer
  return { figures: { ...figures, requestMs }, ids, otherCpuMs: cpuMs }
}

/** @throws SpoutError `failed` when it ends without an answer; the signal's reason when it is aborted. */
function run(input: string, signal: AbortSignal | undefined): Promise<string> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: 'pipe' })
  const stop = (): void => void child.kill('SIGKILL')
  signal?.addEventListener('abort', stop, { once: true })
  return answerOf(child, input).then(
    (text) => {
      signal?.removeEventListener('abort', stop)
      return text
    },
    (error: unknown) => {
      signal?.removeEventListener('abort', stop)
      throw signal?.aborted ? signal.reason : error
    },
  )
}

function answerOf(child: ChildProcessWithoutNullStreams, input: string): Promise<string> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  // A process that dies before it has read says why elsewhere.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, name) => {
      const text = Buffer.concat(out).toString().trim()
      if (text.startsWith('{')) return resolve(text)
      const said = Buffer.concat(err).toString().trim().split('\n').at(-1)
      reject(new SpoutError('failed', `a fresh process ended with ${name ?? code}${said ? `: ${said}` : ''}`))
    })
  })
}
