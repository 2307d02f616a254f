/** Signals in every phase, readers that leave or are slow, and outputs that fail. */

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { errorLines, testRows } from '../support/cli-rows.ts'
import { watchProcessor } from '../support/processor-time.ts'
import { HOME, quote, type RunOptions, type RunResult, runSpout, SPOUT, said } from '../support/run-spout.ts'
import { ENDLESS, EOS, removeToys, type Step, toyModel } from '../support/toy-model.ts'

const scripts: Readonly<Record<string, readonly Step[]>> = {
  a: ['Hello', ', ', 'world', EOS],
  d: ['round ', 'about '],
}
const toy = toyModel({ scripts })
/** Some hundredths of a second per token. */
const slow = toyModel({ scripts, rounds: 20_000 })
const heavy = toyModel({ scripts, products: 24 })
const endless = toyModel({ scripts, products: 400 })
/** Four thousand characters per token. */
const wide = toyModel({ scripts: { w: ['0123456789'.repeat(400), 'abcdefghij'.repeat(400)] } })
afterAll(removeToys)

const on = (model: string, ...argv: string[]): string[] => ['-m', model, '--no-stdin', ...argv]
const linux = process.platform === 'linux'
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

interface Phase {
  readonly name: string
  readonly argv: readonly string[]
  readonly options?: RunOptions
  /** Default: each. Below the program no code knows which signal it was. */
  readonly signals?: readonly NodeJS.Signals[]
  /** What stderr or stdout says when the phase has begun. */
  readonly begun: (child: ChildProcess) => Promise<unknown>
  /** What has been delivered. */
  readonly stdout: RegExp
}

/** Words that are met once are looked up in no cache. */
function differentWords(count: number): string {
  return Array.from({ length: count }, (_, i) => ((i * 7919) % 1_000_003).toString(36)).join(' ')
}

const prefilling = (child: ChildProcess) => said(child.stderr, 'trace prompt')
const PHASES: readonly Phase[] = [
  {
    name: 'waiting for stdin',
    argv: ['-m', toy, 'x'],
    options: { stdin: 'open' },
    begun: () => pause(600),
    stdout: /^$/,
  },
  { name: 'loading', argv: on(heavy, 'a'), begun: () => pause(1200), stdout: /^$/ },
  {
    name: 'loading, with the other runtime',
    argv: on(heavy, 'a', '--runtime', 'node'),
    signals: ['SIGTERM'],
    begun: () => pause(1200),
    stdout: /^$/,
  },
  {
    name: 'encoding',
    argv: [],
    options: { stdin: differentWords(1_200_000) },
    // All of the text has been read, and takes seconds.
    begun: (child) => once(child.stdin!, 'finish').then(() => pause(200)),
    stdout: /^$/,
  },
  { name: 'prefill', argv: on(toy, `x${ENDLESS}`, '--trace'), begun: prefilling, stdout: /^$/ },
  {
    name: 'prefill, with the other runtime',
    argv: on(toy, `x${ENDLESS}`, '--trace', '--runtime', 'node'),
    signals: ['SIGTERM'],
    begun: prefilling,
    stdout: /^$/,
  },
  {
    name: 'decode',
    argv: on(slow, 'd', '-n', '0'),
    begun: (child) => said(child.stdout, 'about'),
    stdout: /^(round about )+(round )?\n$/,
  },
  {
    name: 'decode, as JSON',
    argv: on(slow, 'd', '-n', '0', '--json', '--trace'),
    begun: (child) => said(child.stderr, 'about'),
    stdout: /^\{.*"text":"(round about )+(round )?","finish_reason":"aborted".*\}\n$/,
  },
]

describe.concurrent('a signal', () => {
  for (const { name, argv, options, signals = SIGNALS, begun, stdout } of PHASES) {
    for (const signal of signals) {
      test(`[P6 exit.signal] ${signal} while ${name}`, async () => {
        let spent = (): number => 0
        const result = await runSpout(argv, {
          ...options,
          onStart: async (child) => {
            await begun(child)
            await pause(30)
            spent = watchProcessor(child.pid!)
            child.kill(signal)
          },
        })
        // A second is the promise; on a machine that is busy with other tests as much work as fits into it.
        expect(spent()).toBeLessThan(1000 * availableParallelism())
        expect({ signal: result.signal, code: result.code }).toEqual({ signal, code: null })
        expect(result.stdout).toMatch(stdout)
        expect(result.stderr).not.toMatch(/error/)
      })
    }
  }

  test('[P6 P11] during -o leaves the old file, and nothing beside it', async () => {
    const path = join(HOME, 'interrupted')
    writeFileSync(path, 'old')
    const result = await runSpout(on(slow, 'd', '-n', '0', '--trace', '-o', path), {
      onStart: async (child) => {
        await said(child.stderr, 'about')
        child.kill('SIGTERM')
      },
    })
    expect(result.signal).toBe('SIGTERM')
    expect(readFileSync(path, 'utf8')).toBe('old')
  })

  test('[exit.hangup] SIGHUP does not end what writes into a file, without a terminal', async () => {
    const path = join(HOME, 'hangup')
    const { stdout } = await runSpout(on(slow, 'd', '-n', '40'), {
      shell: `${quote(process.execPath)} ${quote(SPOUT)} "$@" > ${path} 2>&1 < /dev/null & job=$!
        until grep -q about ${path}; do sleep 0.1; done; kill -HUP $job; wait $job; echo "code $?"; cat ${path}`,
    })
    expect(stdout).toBe(`code 0\n${'round about '.repeat(20)}\n`)
  })

  test.runIf(linux)(
    '[P7] to stop and one to go on lose nothing; SIGUSR1 opens no door (needs Linux)',
    async () => {
      let wasStopped = false
      const result = await runSpout(on(slow, 'd', '-n', '200'), {
        onStart: async (child) => {
          await said(child.stdout, 'round')
          child.kill('SIGUSR1')
          child.kill('SIGTSTP')
          const isStopped = (): boolean =>
            / T /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8').replace(/.*\)/, ''))
          // It may be in the middle of something, and the machine busy.
          for (let i = 0; i < 4 && !isStopped(); i++) await pause(50)
          // Where no shell watches the group of processes, as under setsid, the kernel drops SIGTSTP.
          if (!isStopped()) child.kill('SIGSTOP')
          await pause(50)
          wasStopped = isStopped()
          child.kill('SIGCONT')
        },
      })
      expect(wasStopped).toBe(true)
      expect([result.stdout, result.stderr, result.code]).toEqual([`${'round about '.repeat(100)}\n`, '', 0])
    },
  )
})

describe.concurrent('time', () => {
  const expired = errorLines('timeout: not done after 1 s')
  /** With time enough to come to decode: a machine that is busy needs more of it. */
  async function expiredInDecode(...argv: string[]): Promise<string> {
    for (const seconds of [2, 6, 20, 60]) {
      const { stdout, stderr, code } = await runSpout(
        on(slow, 'd', '-n', '0', '--timeout', `${seconds}`, ...argv),
      )
      expect({ stderr, code }).toEqual({
        stderr: expect.stringMatching(errorLines(`timeout: not done after ${seconds} s`)),
        code: 124,
      })
      if (stdout.includes('round')) return stdout
    }
    throw new Error('it never came to decode')
  }

  test('[exit.124 G11] runs out during decode: the text so far is kept', async () => {
    expect(await expiredInDecode()).toMatch(/^round [a-z ]*\n$/)
  })

  test('[exit.124 json.document] runs out during decode: one document, not two', async () => {
    expect(await expiredInDecode('--json')).toMatch(
      /^\{"model".*"text":"round .*"finish_reason":"aborted".*\}\n$/,
    )
  })

  testRows([
    {
      proves: ['exit.124'],
      what: 'runs out during prefill',
      argv: on(toy, ENDLESS, '--timeout', '1'),
      stderr: expired,
      code: 124,
    },
    {
      proves: ['exit.124', 'I9'],
      what: 'runs out while stdin is silent',
      argv: ['-m', toy, 'a', '--timeout', '1'],
      stdin: 'open',
      stderr: expired,
      code: 124,
    },
    {
      proves: ['exit.124'],
      what: 'runs out while a pipe named by -f is waited for',
      shell: `mkfifo ${join(HOME, 'in')}; spout "$@" -f ${join(HOME, 'in')}`,
      argv: on(toy, 'a', '--timeout', '1'),
      stderr: expired,
      code: 124,
    },
    {
      proves: ['exit.124', 'out.file'],
      what: 'runs out while nobody reads the pipe named by -o',
      shell: `mkfifo ${join(HOME, 'out')}; spout "$@" -o ${join(HOME, 'out')}`,
      argv: on(toy, 'a', '--timeout', '1'),
      stderr: expired,
      code: 124,
    },
    {
      proves: ['exit.124', 'json.error'],
      what: 'runs out while the thread is busy with a long text',
      argv: ['-m', toy, '--timeout', '1', '--json'],
      stdin: differentWords(1_200_000),
      stdout: /^\{"error":\{"code":"timeout","exit":124,"message":"timeout: not done after 1 s"\}\}\n$/,
      stderr: expired,
      code: 124,
    },
    {
      proves: ['exit.124'],
      what: 'suffices',
      argv: on(toy, 'a', '--timeout', '600'),
      stdout: 'Hello, world\n',
    },
  ])

  test('[exit.124] runs out during loading, and nothing is waited for', async () => {
    // It would load for minutes, and be killed before.
    const { stdout, stderr, code } = await runSpout(on(endless, 'a', '--timeout', '1', '--json'))
    expect(JSON.parse(stdout)).toEqual({
      error: { code: 'timeout', exit: 124, message: 'timeout: not done after 1 s' },
    })
    expect(stderr).toMatch(expired)
    expect(code).toBe(124)
  })
})

describe('a reader', () => {
  const tokens = ({ stderr }: RunResult) => stderr.match(/^trace token/gm)?.length ?? 0

  test('[P1 exit.141] that leaves ends the work before the next token', async () => {
    const result = await runSpout(on(slow, 'd', '-n', '0', '--trace'), {
      onStart: async (child) => {
        await said(child.stdout, 'round')
        child.stdout?.destroy()
      },
    })
    expect([result.code, result.signal]).toEqual([141, null])
    // One was read, one more may have been on its way, and writing the next one failed.
    expect(tokens(result)).toBeLessThanOrEqual(3)
    expect(result.stderr.replace(/^trace .*\n/gm, '')).toBe('')
  })

  const piped = (command: string) => ({
    shell: `spout "$@" | ${command}; echo "code \${PIPESTATUS[0]}"`,
    argv: on(toy, 'd', '-n', '0', '-q'),
  })
  testRows([
    { proves: ['P1', 'exit.141'], what: '| head -c 5', ...piped('head -c 5'), stdout: 'roundcode 141\n' },
    { proves: ['P1', 'exit.141'], what: '| true', ...piped('true'), stdout: 'code 141\n' },
    {
      proves: ['P1'],
      what: '| head -1 of JSON events',
      ...piped('head -1'),
      argv: on(toy, 'd', '-n', '0', '-q', '--jsonl'),
      stdout: /^\{"event":"start".*\}\ncode 141\n$/,
    },
    {
      proves: ['P2', 'exit.74'],
      what: 'that is a full device',
      shell: 'spout "$@" > /dev/full',
      argv: on(slow, 'd', '-n', '0', '--trace'),
      stderr:
        /^trace loaded.*\ntrace prompt.*\ntrace prefill.*\ntrace token.*\nspout: error: output: cannot be written: ENOSPC\nspout: hint: free some space, or write elsewhere\n$/,
      code: 74,
    },
    {
      proves: ['P3'],
      what: 'that is closed is none; a file is safe',
      shell: `spout "$@" >&- && spout "$@" -o ${join(HOME, 'safe')} >&- && cat ${join(HOME, 'safe')}`,
      argv: on(toy, 'a'),
      stdout: 'Hello, world\n',
    },
    {
      proves: ['P4'],
      what: 'of stderr that is closed, or leaves, changes nothing',
      shell: 'spout "$@" 2>&-; echo "code $?"; spout "$@" 2> >(exec true); echo "code $?"',
      argv: on(toy, 'a', '--trace', '--stats', '-v'),
      stdout: 'Hello, world\ncode 0\nHello, world\ncode 0\n',
    },
    {
      proves: ['P12'],
      what: 'gets ten answers from ten processes, each with exit code 0',
      shell: 'for i in 1 2 3 4 5 6 7 8 9 10; do spout "$@" || echo "code $?"; done',
      argv: on(toy, 'a', '--no-newline'),
      stdout: 'Hello, world'.repeat(10),
    },
  ])

  test.runIf(linux)('[P5] that is slow loses nothing, and memory stays flat (needs Linux)', async () => {
    const count = 600
    const expected = '0123456789'.repeat(400) + 'abcdefghij'.repeat(400)
    let stalled = 0
    let seen = ''
    const rss: number[] = []
    const result = await runSpout(on(wide, 'w', '-n', `${count}`, '--trace', '--no-newline'), {
      onStart: async (child) => {
        const { stdout, stderr } = child
        stderr?.on('data', (chunk: Buffer) => {
          seen += chunk
        })
        stdout?.pause()
        const sample = () => rss.push(residentBytes(child.pid!))
        await said(stderr, 'trace token')
        await pause(700)
        sample()
        stalled = seen.match(/^trace token/gm)?.length ?? 0
        // A byte each hundredth of a second, for a while; then as fast as it comes.
        for (let i = 0; i < 60; i++) {
          stdout?.read(1)
          await pause(10)
        }
        sample()
        stdout?.resume()
      },
    })
    expect(result.stdout.length).toBe(4000 * count)
    expect(result.stdout).toBe(expected.repeat(count / 2))
    // The pipe holds some of them; the rest was not computed while nobody read.
    expect(stalled).toBeLessThan(count / 4)
    expect(Math.abs(rss[1]! - rss[0]!)).toBeLessThan(16 * 2 ** 20)
  })
})

function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return 1024 * Number(kilobytes)
}

test('[out.streams] pieces leave when they are decoded, into a pipe too', async () => {
  const times: number[] = []
  const { stdout } = await runSpout(on(slow, 'd', '-n', '10'), {
    onStart: (child) => child.stdout?.on('data', () => times.push(performance.now())),
  })
  expect(stdout).toBe(`${'round about '.repeat(5)}\n`)
  expect(times.length).toBeGreaterThan(4)
  expect(times.at(-1)! - times[0]!).toBeGreaterThan(40)
})
