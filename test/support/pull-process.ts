import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { ResolveOptions } from '../../src/hub-cache/resolve-model.ts'
import type { FakeHub } from './fake-hub.ts'
import { IMPATIENT, REPO } from './model-repo.ts'

// Pulls in processes of their own, through the built code.

const SCRIPT = fileURLToPath(new URL('pull-child.mjs', import.meta.url))

export interface PullProcess {
  readonly child: ChildProcess
  /** What it printed last, and how it ended. */
  readonly ended: Promise<{
    code: number | null
    signal: string | null
    output: Outcome
    stdout: string
    stderr: string
  }>
}

export interface Outcome {
  readonly model?: { readonly onnxPath: string; readonly revision: string; readonly dtype: string }
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string }
  readonly notes: readonly string[]
}

export interface PullProcessOptions {
  readonly hub: FakeHub | undefined
  readonly root: string
  readonly options?: Partial<ResolveOptions>
  /** A command line that runs node, `{}` standing for node and its arguments. */
  readonly under?: readonly string[]
  readonly env?: Record<string, string>
  readonly nodeOptions?: readonly string[]
}

/** Starts a process that pulls. */
export function startPull({
  hub,
  root,
  options,
  under = ['{}'],
  env,
  nodeOptions = [],
}: PullProcessOptions): PullProcess {
  const json = JSON.stringify({ model: REPO, patience: IMPATIENT, ...options })
  const node = [process.execPath, ...nodeOptions, SCRIPT, json]
  const [command = '', ...args] = under.flatMap((word) => (word === '{}' ? node : word))
  const child = spawn(command, args, {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: root,
      HF_HUB_CACHE: root,
      ...(hub ? { HF_ENDPOINT: hub.url } : {}),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stdout = textOf(child.stdout!)
  const stderr = textOf(child.stderr!)
  const ended = new Promise<Awaited<PullProcess['ended']>>((resolve) => {
    child.once('close', (code, signal) => {
      const last = stdout.read().trim().split('\n').at(-1) ?? ''
      resolve({
        code,
        signal,
        output: last.startsWith('{') ? JSON.parse(last) : { notes: [] },
        stderr: stderr.read(),
        stdout: stdout.read(),
      })
    })
  })
  return { child, ended }
}

/** Whether a command is there and works, for tests that need it. */
export function canRun(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

function textOf(stream: Readable): { read(): string } {
  const parts: string[] = []
  stream.setEncoding('utf8').on('data', (part: string) => parts.push(part))
  return { read: () => parts.join('') }
}
