import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { openStdout, ReaderGone } from '../../src/output/stdout.ts'

const failing = (code: string) =>
  new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })),
  })

test('a reader that is gone is known at the very write', async () => {
  const stdout = openStdout(failing('EPIPE'))
  const written = stdout.write('x')
  expect(stdout.failure.aborted).toBe(true)
  expect(stdout.failure.reason).toBeInstanceOf(ReaderGone)
  await expect(written).rejects.toBe(stdout.failure.reason)
  await expect(stdout.write('y')).rejects.toBe(stdout.failure.reason)
  await expect(stdout.flush()).rejects.toBe(stdout.failure.reason)
})

test('a disk that is full says so', async () => {
  const stdout = openStdout(failing('ENOSPC'))
  const message = 'output: cannot be written: ENOSPC'
  await expect(stdout.write('x')).rejects.toMatchObject({ code: 'output', message })
})

test('a slow reader is waited for, by one listener however often', async () => {
  const received: string[] = []
  const stream = new Writable({
    highWaterMark: 10,
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      received.push(chunk)
      setImmediate(done)
    },
  })
  const stdout = openStdout(stream)
  let waits = 0
  for (let i = 0; i < 500; i++) {
    const full = stdout.write('twelve bytes')
    if (full === undefined) continue
    waits++
    expect(stdout.write('')).toBe(full)
    await full
  }
  await stdout.flush()
  expect(waits).toBeGreaterThan(400)
  expect(received.join('')).toBe('twelve bytes'.repeat(500))
  expect([stream.listenerCount('drain'), stream.listenerCount('error')]).toEqual([1, 1])
})

test('it knows whether anything was written', () => {
  const stdout = openStdout(new Writable({ write: (_chunk, _encoding, done) => done() }))
  expect(stdout.used).toBe(false)
  stdout.write('x')
  expect(stdout.used).toBe(true)
})
