/** The programs of examples/, run as they are on the embedded model. */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { get, request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { temporaryFolder } from './support/model-repo.ts'
import { ENVIRONMENT, ROOT, SPOUT } from './support/run-spout.ts'

const EXAMPLES = join(ROOT, 'examples')
/** A folder with `spout`, for the PATH. */
const PROGRAMS = temporaryFolder()
writeFileSync(join(PROGRAMS, 'spout'), `#!/bin/sh\nexec '${process.execPath}' '${SPOUT}' "$@"\n`)
chmodSync(join(PROGRAMS, 'spout'), 0o755)

const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0
const env = { ...ENVIRONMENT, PATH: `${PROGRAMS}:${ENVIRONMENT.PATH}` }

function sh(name: string, words: readonly string[], { cwd = ROOT, more = {} } = {}) {
  const options = { cwd, env: { ...env, ...more }, encoding: 'utf8' } as const
  const { stdout, stderr, status } = spawnSync('sh', [join(EXAMPLES, name), ...words], options)
  return { stdout, stderr, status }
}

test('its page lists them, and no other', () => {
  const listed = readFileSync(join(EXAMPLES, 'README.md'), 'utf8').matchAll(/\]\(([\w-]+\.(?:sh|mjs))\)/g)
  const files = readdirSync(EXAMPLES).filter((name) => name !== 'README.md')
  expect(Array.from(listed, ([, name]) => name).sort()).toEqual(files.sort())
})

test.runIf(has('git'))('a commit message for what is staged, of one line', () => {
  const cwd = temporaryFolder()
  const git = (...words: string[]) => expect(spawnSync('git', words, { cwd, env }).status).toBe(0)
  git('init', '-q')
  expect(sh('commit-message.sh', [], { cwd })).toEqual({
    stdout: '',
    stderr: 'nothing is staged: git add\n',
    status: 1,
  })
  writeFileSync(join(cwd, 'story.txt'), 'Once upon a time there was a prince.\n')
  git('add', 'story.txt')
  const { stdout, stderr, status } = sh('commit-message.sh', ['--seed', '1'], { cwd })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(/^.{5,}\n$/)
})

test('each file in one line, one that is too long left out', () => {
  const folder = temporaryFolder()
  const [short, long] = [join(folder, 'a story.txt'), join(folder, 'long.txt')]
  writeFileSync(short, 'Once upon a time there was a prince.')
  writeFileSync(long, 'Once upon a time. '.repeat(600))
  const words = { more: { SPOUT_FLAGS: '--seed 1' } }
  const { stdout, status } = sh('one-line-each.sh', [short, long, short], words)
  const lines = stdout.split('\n')
  expect({ status, count: lines.length }).toEqual({ status: 0, count: 4 })
  expect(lines[0]).toMatch(/a story\.txt: .{5,}/)
  expect(lines[1]).toBe(`${long}: no answer`)
  expect(lines[2]).toBe(lines[0])
  expect(sh('one-line-each.sh', [join(folder, 'absent'), short], words)).toMatchObject({
    stdout: '',
    status: 66,
  })
})

test.runIf(has('jq'))('a table of tokens and how likely they were', () => {
  const { stdout, stderr, status } = sh('json.sh', ['-t', '0', 'Once upon a time'])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const lines = stdout.trimEnd().split('\n')
  expect(lines).toHaveLength(8)
  for (const line of lines) expect(line).toMatch(/^".+"\t\d{1,3} %$/)
})

test('a chat by the library', async () => {
  const child = spawn(process.execPath, [join(EXAMPLES, 'chat.mjs')], { env })
  const ended = new Promise((done) => child.on('close', done))
  child.stdin.end('Once upon a time\n\nAnd then\n')
  const [stdout, code] = await Promise.all([text(child.stdout), ended])
  expect(code).toBe(0)
  expect(stdout.trimEnd().length).toBeGreaterThan(20)
})

test('answers over HTTP: in pieces, two at once, and of a bad request', async () => {
  const child = spawn(process.execPath, [join(EXAMPLES, 'http-server.mjs'), '0'], { env })
  const ended = new Promise((done) => child.on('close', done))
  try {
    const [address] = /http:\S+/.exec(String(await once(child.stdout))) as unknown as [string]
    const [first, second] = await Promise.all([
      post(address, 'Once upon a time'),
      post(address, 'My dear Prince'),
    ])
    for (const { status, chunks } of [first, second]) {
      expect(status).toBe(200)
      expect(chunks).toBeGreaterThan(3)
    }
    expect(await post(address, ' ')).toMatchObject({ status: 400, body: 'prompt: it is empty\n' })
    // Who hangs up stops nobody else.
    await new Promise<void>((done) =>
      get(address, { method: 'POST' })
        .on('error', () => done())
        .destroy(),
    )
    expect(await post(address, 'Once')).toMatchObject({ status: 200 })
  } finally {
    child.kill('SIGTERM')
  }
  expect(await ended).toBe(0)
})

const once = (stream: NodeJS.ReadableStream) => new Promise((done) => stream.once('data', done))

function post(address: string, prompt: string) {
  return new Promise<{ status: number | undefined; body: string; chunks: number }>((done, failed) => {
    const asked = request(address, { method: 'POST' }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString()
        done({ status: response.statusCode, body, chunks: chunks.length })
      })
    })
    asked.on('error', failed).end(prompt)
  })
}
