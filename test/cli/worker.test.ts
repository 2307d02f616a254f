import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { parseKeepAlive } from '../../src/cli/flag-values.ts'
import { type FoundWorker, listWorkers } from '../../src/cli/worker/list-workers.ts'
import { errorLines, testRows } from '../support/cli-rows.ts'
import { type RunOptions, type RunResult, runSpout } from '../support/run-spout.ts'
import { EOS, removeToys, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

const runtime = mkdtempSync(join(tmpdir(), 'spout-worker-'))
const sockets = join(runtime, 'spout')
const ENV = { XDG_RUNTIME_DIR: runtime }
const toy = toyModel({ scripts: { a: ['Hello', ', ', 'world', EOS] }, chatTemplate: TOY_TEMPLATE })
/** A token takes some hundredths of a second, and there is no end. */
const slow = toyModel({
  scripts: { d: ['round ', 'about '] },
  rounds: 100_000,
  contextLength: 1 << 20,
  chatTemplate: TOY_TEMPLATE,
})

const run = (argv: readonly string[], { env, ...options }: RunOptions = {}): Promise<RunResult> =>
  runSpout(argv, { ...options, env: { ...ENV, ...env } })

type Row = FoundWorker['status']

async function workers(): Promise<readonly Row[]> {
  return (await listWorkers(sockets)).map(({ status }) => status)
}

/** Those that there are once it is so. It is bounded by the time of the test. */
async function until(isSo: (rows: readonly Row[]) => boolean): Promise<readonly Row[]> {
  for (;;) {
    const rows = await workers()
    for (const { pid } of rows) seen.add(pid)
    if (isSo(rows)) return rows
    await sleep(20)
  }
}

/** Every worker that a test has met, or that still starts, ends with the test. */
const seen = new Set<number>()

async function endAll(): Promise<void> {
  while (names().some((name) => name.endsWith('.starting'))) await sleep(20)
  for (const { pid } of await workers()) seen.add(pid)
  for (const pid of seen) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
  seen.clear()
  rmSync(sockets, { recursive: true, force: true })
}

function names(): string[] {
  try {
    return readdirSync(sockets)
  } catch {
    return []
  }
}

afterEach(endAll, 60_000)
afterAll(() => {
  rmSync(runtime, { recursive: true, force: true })
  removeToys()
})

/** Leaves a worker with the embedded model, or another. */
async function leave(argv: readonly string[] = []): Promise<Row> {
  const { code } = await run(['--keep-alive', '5m', '-n', '1', ...argv, 'd'])
  expect(code).toBe(0)
  const rows = await until((all) => all.length > 0)
  return rows[0]!
}

/** What does not depend on when it was, or on what ran before. */
function document({ stdout }: RunResult): object {
  const { timings: _, drafts: __, usage, ...rest } = JSON.parse(stdout)
  const { prompt_tokens, completion_tokens } = usage
  return { ...rest, prompt_tokens, completion_tokens }
}

const ALIKE: readonly (readonly string[])[] = [
  ['--seed', '4', '-t', '0.9', '-n', '24', 'The Prince'],
  ['--json', '--seed', '4', '-t', '0.9', '-n', '8', '--logprobs', '2', 'The Prince'],
  ['--jsonl', '--seed', '5', '-n', '6', '--stop', 'e', 'The Prince said'],
  ['--json', '--samples', '3', '--seed', '9', '-t', '1', '-n', '6', 'My dear'],
  ['--regex', '[a-z ]{4,12}', '--seed', '1', '-t', '1', '-n', '40', 'My dear'],
  ['--choices', 'yes,no', '--json', 'Is it so?'],
]

test('[worker.same worker.joins worker.figures] runs that a worker answers are those of the plain command, to the byte', {
  timeout: 300_000,
}, async () => {
  const plain: RunResult[] = []
  for (const argv of ALIKE) plain.push(await run(argv))
  const lines = 'a line\nand another\n'
  const filtered = await run(['filter', '--scores', '--threshold', '0', 'is short'], { stdin: lines })
  const worker = await leave()
  for (const [i, argv] of ALIKE.entries()) {
    const warm = await run(argv)
    const compared = argv.includes('--json') && !argv.includes('--samples') && !argv.includes('--choices')
    if (compared) expect(document(warm)).toEqual(document(plain[i]!))
    else expect(withoutFigures(warm)).toEqual(withoutFigures(plain[i]!))
  }
  const scored = await run(['filter', '--scores', '--threshold', '0', 'is short'], { stdin: lines })
  expect(scored).toEqual(filtered)
  // A setting of another kind is no fit, a run that must not ask does not, and neither fails.
  const other = await run(['--threads', '1', '--ctx-size', '200', '-n', '1', '--stats', 'x'])
  const off = await run(['--keep-alive', 'off', '-n', '1', '--stats', 'x'])
  const stats = await run(['-n', '1', '--stats', 'x'])
  expect([other.code, off.code]).toEqual([0, 0])
  expect(`${other.stderr}${off.stderr}`).not.toContain('worker')
  expect(stats.stderr).toContain(`worker ${worker.pid}`)
  const rows = await workers()
  // Lines of a filter are asked one by one.
  expect(rows[0]!.answered).toBeGreaterThanOrEqual(ALIKE.length + 2)
  expect(rows.map(({ pid }) => pid)).toEqual([worker.pid])
})

/** Times differ from run to run, what was kept from before, and how many guesses seemed to pay. */
function withoutFigures({ stdout, stderr, code }: RunResult): object {
  const text = stdout
    .replace(/"timings":\{[^}]*\}/g, '')
    .replace(/"cached_tokens":\d+/g, '')
    .replace(/"drafts":(null|\{[^}]*\})/g, '')
    .replace(/"ms":[\d.]+/g, '')
  return { text, stderr, code }
}

test('[worker.lost] a worker that is killed, stopped or gone in the middle of an answer changes no byte of it', {
  timeout: 300_000,
}, async () => {
  const argv = ['-m', slow, '-n', '24', 'd']
  const plain = await run(argv)
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const worker = await leave(['-m', slow])
    let isKilled = false
    const warm = await run(argv, {
      onStart: (child) => {
        child.stdout!.once('data', () => {
          isKilled = true
          process.kill(worker.pid, signal)
        })
      },
    })
    expect(isKilled).toBe(true)
    expect(warm).toEqual(plain)
  }
  // Its socket stays where it was killed: nobody listens there, and the next worker takes the place.
  const worker = await leave(['-m', slow])
  process.kill(worker.pid, 'SIGKILL')
  expect(await run(argv)).toEqual(plain)
  expect((await leave(['-m', slow])).pid).not.toBe(worker.pid)
})

test('[worker.hangs] one that stands still is not waited for; one of another protocol, or of nobody, is not believed', {
  timeout: 300_000,
}, async () => {
  const argv = ['--seed', '4', '-n', '6', '--verbose', 'The Prince']
  const plain = await run(['--keep-alive', 'off', ...argv])
  const worker = await leave()
  process.kill(worker.pid, 'SIGSTOP')
  const warm = await run(argv)
  expect(warm.stdout).toBe(plain.stdout)
  expect(warm.stderr).toContain('worker: not used: it does not answer')
  const [name] = names().filter((each) => each.endsWith('.sock'))
  for (const said of ['garbage\n', '{"is":"ready"}\n']) {
    const server = await speaker(join(sockets, name!), said)
    const answer = await run(argv)
    expect(answer.stdout).toBe(plain.stdout)
    await closed(server)
  }
  // Another user's, or one that others may speak to: it is not asked.
  const server = await speaker(join(sockets, name!), '{"is":"refused","why":"asked"}\n')
  chmodSync(join(sockets, name!), 0o666)
  expect((await run(argv)).stderr).not.toContain('asked')
  await closed(server)
})

/** Whoever calls at `path` is told `said`. */
function speaker(path: string, said: string): Promise<Server> {
  rmSync(path, { force: true })
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.write(said)
  })
  server.on('close', () => open.clear())
  Object.assign(server, { open })
  return new Promise((resolve) => {
    server.listen(path, () => {
      chmodSync(path, 0o600)
      resolve(server)
    })
  })
}

function closed(server: Server): Promise<void> {
  for (const socket of (server as Server & { open: Set<Socket> }).open) socket.destroy()
  return new Promise((resolve) => server.close(() => resolve()))
}

test('[worker.cancel] a run that is interrupted, or whose reader goes, leaves nothing that computes', {
  timeout: 300_000,
}, async () => {
  await leave(['-m', slow])
  const interrupted = await run(['-m', slow, '-n', '0', 'd'], {
    onStart: (child) => {
      child.stdout!.once('data', () => child.kill('SIGINT'))
    },
  })
  expect(interrupted.signal).toBe('SIGINT')
  expect(interrupted.stdout).toMatch(/^round /)
  await until(([worker]) => worker!.active === 0)
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own
  const shell = 'spout "$@" | head -c 3; exit ${PIPESTATUS[0]}'
  const piped = await run(['-m', slow, '-n', '0', 'd'], { shell })
  expect(piped.code).toBe(141)
  await until(([worker]) => worker!.active === 0)
  const killed = run(['-m', slow, '-n', '0', 'd'], {
    onStart: (child) => {
      child.stdout!.once('data', () => child.kill('SIGKILL'))
    },
  })
  expect((await killed).signal).toBe('SIGKILL')
  await until(([worker]) => worker!.active === 0)
})

/** Runs at once. */
const MANY = Number(process.env.SPOUT_WORKER_RUNS ?? 6)

test('[worker.many worker.model] many runs at once leave one worker; a model that is changed is loaded anew', {
  timeout: 300_000,
}, async () => {
  const plain = await run(['-m', toy, 'a'])
  const all = await Promise.all(
    Array.from({ length: MANY }, () => run(['--keep-alive', '5m', '-m', toy, 'a'])),
  )
  for (const each of all) expect(each).toEqual(plain)
  const [first] = await until((rows) => rows.length > 0)
  const again = await Promise.all(Array.from({ length: MANY }, () => run(['-m', toy, 'a'])))
  for (const each of again) expect(each).toEqual(plain)
  const rows = await workers()
  expect(rows.map(({ pid }) => pid)).toEqual([first!.pid])
  const now = new Date()
  utimesSync(join(toy, 'onnx/model.onnx'), now, now)
  const changed = await run(['--keep-alive', '5m', '-m', toy, '--stats', 'a'])
  expect(changed.stdout).toBe(plain.stdout)
  expect(changed.stderr).not.toContain('worker')
  await until((after) => after.length === 1 && after[0]!.pid !== first!.pid)
})

test('[worker.ends] it goes when nobody asks, and when it is told', { timeout: 300_000 }, async () => {
  const worker = await leave()
  const stopped = await run(['worker', 'stop'])
  expect(stopped.stdout).toBe(`spout-tiny: process ${worker.pid} ends\n`)
  await until((rows) => rows.length === 0)
  expect((await run(['worker'])).stdout).toBe('no worker\n')
  await leave()
  // Each run says anew how long.
  await run(['--keep-alive', '1s', '-n', '1', 'x'])
  // A run that could not wait for it has left another, for as long.
  while (names().length > 0) await sleep(20)
})

test('[worker.safe] it listens in a folder of this user alone, and is started in no other', {
  timeout: 300_000,
}, async () => {
  await leave()
  const { mode } = statSync(sockets)
  expect(mode & 0o777).toBe(0o700)
  const listed = await run(['worker', 'status', '--json'])
  expect(JSON.parse(listed.stdout)).toMatchObject({ workers: [{ model: 'spout-tiny', active: 0 }] })
  const open = join(runtime, 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  const refused = await run(['--keep-alive', '5m', '-n', '1', '-v', 'x'], {
    env: { XDG_RUNTIME_DIR: join(open, 'deeper') },
  })
  expect(refused.code).toBe(0)
  expect(refused.stderr).toContain('worker: none is started: ')
  const linked = join(runtime, 'linked')
  mkdirSync(linked)
  symlinkSync(open, join(linked, 'spout'))
  const through = await run(['--keep-alive', '5m', '-n', '1', '-v', 'x'], {
    env: { XDG_RUNTIME_DIR: linked },
  })
  expect(through.stderr).toContain('worker: none is started: ')
})

describe('what is typed', () => {
  testRows([
    {
      proves: ['worker.ends'],
      what: 'an action that is none',
      argv: ['worker', 'stopp'],
      code: 2,
      stderr: errorLines('worker: there is no action "stopp"', 'spout worker stop'),
    },
    {
      proves: ['worker.ends'],
      what: 'a time without a unit',
      argv: ['--keep-alive', '10', 'x'],
      code: 2,
      stderr: errorLines('--keep-alive: "10" is not off or a time from 1s to 168h, as in 90s, 10m or 2h'),
    },
  ])

  test('times', () => {
    expect(['off', '90s', '10m', '2h'].map(parseKeepAlive)).toEqual([0, 90_000, 600_000, 7_200_000])
    for (const text of ['', '0s', '10', '1d', '-1s', '169h', '1.5m'])
      expect(() => parseKeepAlive(text)).toThrow()
  })
})
