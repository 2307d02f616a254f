/** The clock in a thread of its own ends a process whose thread hears nothing, and says so once. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../support/run-spout.ts'

const WATCHDOG = join(ROOT, 'dist/system/watchdog.js')

/** Runs a program that has started a watchdog of 200 ms, and collects what it says. */
function watched(program: string) {
  const code = `
    const { startWatchdog } = await import(${JSON.stringify(WATCHDOG)})
    const watchdog = startWatchdog({ ms: 200, graceMs: 200, code: 124, stderr: 'over\\n', stdout: '{}\\n' });
    ${program}`
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', code],
    { encoding: 'utf8', timeout: 30_000 },
  )
  return { stdout, stderr, status, signal }
}

const ended = { stdout: '{}\n', stderr: 'over\n', status: 124, signal: null }

test.each([
  ['is in a loop', 'for (;;);'],
  ['compares without end', "/^(a+)+$/.test('a'.repeat(60) + 'b')"],
  ['waits for memory that nobody changes', 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)'],
  [
    'waits for a child',
    "(await import('node:child_process')).execFileSync('sleep', ['20'], { stdio: 'ignore' })",
  ],
  ['reads a device that has no end', "(await import('node:fs')).readFileSync('/dev/zero')"],
])('a thread that %s', (_, program) => {
  expect(watched(program)).toEqual(ended)
})

test('what the program has seen it says itself; a program that then does not end is ended', () => {
  const heard = 'setTimeout(() => { if (watchdog.heard()) console.log("own") }, 100)'
  expect(watched(`${heard}; setTimeout(() => process.exit(3), 400)`)).toMatchObject({
    stdout: 'own\n',
    stderr: '',
    status: 3,
  })
  expect(watched(`${heard}; setTimeout(() => { for (;;); }, 150)`)).toMatchObject({
    stdout: 'own\n{}\n',
    status: 124,
  })
  const told = heard.replace('console.log("own")', 'console.log(watchdog.tells(), watchdog.tells())')
  expect(watched(`${told}; setTimeout(() => { for (;;); }, 150)`)).toEqual({
    ...{ stdout: 'true false\n', stderr: '', status: 124, signal: null },
  })
})
