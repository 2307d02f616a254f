/** `spout serve`, as a shell runs it. */
import type { ChildProcess } from 'node:child_process'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { longName } from '../../src/cli/flags.ts'
import { SERVE_FLAGS } from '../../src/cli/serve-flags.ts'
import { errorLines, testRows } from '../support/cli-rows.ts'
import { HOME, type RunOptions, type RunResult, runSpout } from '../support/run-spout.ts'
import { EOS, removeToys, TOY_TEMPLATE, toyModel } from '../support/toy-model.ts'

const toy = toyModel({ scripts: { a: ['Hello', ', ', 'world', EOS] }, chatTemplate: TOY_TEMPLATE })
const slow = toyModel({
  scripts: { d: ['round ', 'about '] },
  rounds: 100_000,
  contextLength: 1 << 20,
  chatTemplate: TOY_TEMPLATE,
})
const thinking = toyModel({
  scripts: { '?': ['<think>\nhm', ' so</think>\n\ny', 'es', EOS] },
  chatTemplate: `${TOY_TEMPLATE}{# <think> #}`,
})
afterAll(removeToys)
const folder = mkdtempSync(join(HOME, 'serve-'))
const nameOf = (path: string): string => path.split('/').at(-1)!

interface Served {
  readonly url: string
  readonly ended: Promise<RunResult>
  readonly child: ChildProcess
  /** What it has said so far. */
  stderr(): string
}

/** A server on a free port, once it listens. */
function serve(argv: readonly string[], options: RunOptions = {}): Promise<Served> {
  return new Promise((resolve, reject) => {
    let text = ''
    const onStart = (child: ChildProcess): void => {
      child.stderr!.on('data', (chunk: Buffer) => {
        text += chunk
        const [, url] = / at (http:\S+)\/v1\n/.exec(text) ?? []
        if (url !== undefined) resolve({ url, ended, child, stderr: () => text })
      })
    }
    const ended = runSpout(['serve', '--port', '0', ...argv], { ...options, onStart })
    ended.then(({ stderr }) => reject(new Error(`it ended: ${stderr}`)), reject)
  })
}

interface AskOptions {
  readonly key?: string
}

async function ask(url: string, body: object, { key }: AskOptions = {}) {
  const headers = { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) }
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  })
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says
  return { status: response.status, json: (await response.json()) as any }
}

const chat = (content: string, more: object = {}) => ({ messages: [{ role: 'user', content }], ...more })

test('[serve.same serve.start serve.log serve.end] many at once are answered as the plain command answers each', async () => {
  const api = await serve(['--verbose', '--no-prepare', '--threads', '1', '--offline', '--host', 'localhost'])
  const prompts = Array.from({ length: 16 }, (_, i) => `Secret chapter ${i}`)
  const asked = prompts.map((prompt, i) =>
    ask(api.url, chat(prompt, { seed: i, temperature: 0.8, max_tokens: 30 })),
  )
  const answers = await Promise.all(asked)
  for (const i of [0, 7, 15]) {
    const plain = await runSpout(['--no-newline', '--seed', `${i}`, '-t', '0.8', '-n', '30', prompts[i]!])
    expect(answers[i]!.json.choices[0].message.content).toBe(plain.stdout)
  }
  api.child.kill('SIGTERM')
  const { signal, stdout, stderr } = await api.ended
  expect([signal, stdout]).toEqual(['SIGTERM', ''])
  expect(stderr).toMatch(/^spout: serving spout-tiny at http:\/\/(127\.0\.0\.1|\[::1\]):\d+\/v1$/m)
  expect(stderr.match(/^spout: POST \/v1\/chat\/completions 200, .* 30 tokens$/gm)).toHaveLength(16)
  expect(stderr).toMatch(/^spout: SIGTERM: no new requests; what is under way has 30 s$/m)
  expect(stderr).not.toMatch(/Secret/)
  for (const { json } of answers) expect(stderr).not.toContain(json.choices[0].message.content)
})

test('[serve.models] models are called by their names, and no more are loaded than may be', async () => {
  const api = await serve([
    '-m',
    toy,
    '--models',
    `${thinking},${slow}`,
    '--keep',
    '1',
    '--queue',
    '8',
    '--stall',
    '9',
    '--parallel',
    '2',
  ])
  const { data } = (await (await fetch(`${api.url}/v1/models`)).json()) as { data: { id: string }[] }
  expect(data.map(({ id }) => id)).toEqual([toy, thinking, slow].map(nameOf))
  const hello = await ask(api.url, chat('a'))
  expect([hello.json.model, hello.json.choices[0].message.content]).toEqual([nameOf(toy), 'Hello, world'])
  const thought = await ask(api.url, chat('?', { model: nameOf(thinking) }))
  expect(thought.json.choices[0].message).toMatchObject({ content: 'yes', reasoning_content: 'hm so' })
  expect((await ask(api.url, chat('a', { model: 'other' }))).status).toBe(404)
  const metrics = await (await fetch(`${api.url}/metrics`)).text()
  expect(metrics).toMatch(/^spout_models_loaded 1$/m)
  api.child.kill('SIGINT')
  expect((await api.ended).signal).toBe('SIGINT')
})

describe('[serve.end]', () => {
  const begun = async (url: string): Promise<ReadableStreamDefaultReader<Uint8Array>> => {
    const body = JSON.stringify(chat('d', { stream: true }))
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body })
    const reader = response.body!.getReader()
    let seen = ''
    while (!seen.includes('round')) seen += Buffer.from((await reader.read()).value!).toString()
    return reader
  }

  test('[serve.end serve.limits] what does not end within the grace ends with an error', async () => {
    const api = await serve([
      '-m',
      slow,
      '--grace',
      '0.1',
      '--parallel',
      '1',
      '--queue',
      '0',
      '--stall',
      '60',
    ])
    const reader = await begun(api.url)
    expect((await ask(api.url, chat('d'))).status).toBe(429)
    api.child.kill('SIGTERM')
    let rest = ''
    for (let part = await reader.read(); !part.done; part = await reader.read())
      rest += Buffer.from(part.value).toString()
    expect(rest).toMatch(/"code":"shutting_down"/)
    expect((await api.ended).signal).toBe('SIGTERM')
  })

  test('[serve.end] a second signal ends it at once', async () => {
    const api = await serve(['-m', slow, '--grace', '3600'])
    const reader = await begun(api.url)
    api.child.kill('SIGTERM')
    while (!/what is under way/.test(api.stderr())) await new Promise(setImmediate)
    api.child.kill('SIGTERM')
    expect((await api.ended).signal).toBe('SIGTERM')
    await expect(
      (async () => {
        for (;;) if ((await reader.read()).done) throw new Error('closed')
      })(),
    ).rejects.toThrow()
  })
})

describe('[serve.safe]', () => {
  test('[serve.safe] a key is asked for, of a file or of the environment', async () => {
    const file = join(folder, 'keys')
    writeFileSync(file, '# of the team\nfirst-key\n\nsecond-key\n')
    chmodSync(file, 0o644)
    const [byFile, byVariable] = await Promise.all([
      serve([
        '-m',
        toy,
        '--key-file',
        file,
        '--allow-host',
        'box.lan',
        '--allow-origin',
        'https://example.org',
      ]),
      serve(['-m', toy, '--host', '0.0.0.0'], { env: { SPOUT_API_KEY: 'third-key' } }),
    ])
    const local = byVariable.url.replace('0.0.0.0', '127.0.0.1')
    expect((await ask(local, chat('a'), { key: 'second-key' })).status).toBe(401)
    expect((await ask(local, chat('a'), { key: 'third-key' })).status).toBe(200)
    expect(byFile.stderr()).toMatch(/key-file: others on this machine may read it/)
    expect((await ask(byFile.url, chat('a'))).status).toBe(401)
    expect((await ask(byFile.url, chat('a'), { key: 'second-key' })).status).toBe(200)
    for (const { child } of [byFile, byVariable]) child.kill('SIGKILL')
    await Promise.all([byFile.ended, byVariable.ended])
  })

  testRows([
    {
      proves: ['serve.safe'],
      what: 'an address that others can reach, without a key',
      argv: ['serve', '--host', '0.0.0.0', '--port', '0', '-m', toy],
      code: 2,
      stderr: errorLines(
        'host: others can reach 0.0.0.0, and there is no key',
        '--key-file FILE with a key on a line, or SPOUT_API_KEY',
      ),
    },
  ])
})

test('every flag is described, and the help of the command has them all', async () => {
  const { stdout, code } = await runSpout(['serve', '--help'])
  expect(code).toBe(0)
  for (const flag of SERVE_FLAGS) expect(stdout).toContain(longName(flag))
})

test('[serve.start] a port that is taken', async () => {
  const other = createServer()
  const port = await new Promise<number>((resolve) => {
    other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port))
  })
  const { code, stderr } = await runSpout(['serve', '-m', toy, '--port', `${port}`])
  other.close()
  expect(code).toBe(2)
  expect(stderr).toMatch(errorLines(`port: ${port} of 127.0.0.1 is in use`, '--port 0 takes a free one'))
})
