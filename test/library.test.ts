/** The programs of docs/library.md, run as a user would: over the built library. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FakeHub } from './support/fake-hub.ts'
import { COMMIT, temporaryFolder } from './support/model-repo.ts'
import { ENVIRONMENT, ROOT } from './support/run-spout.ts'

const PROGRAMS = Array.from(
  readFileSync(join(ROOT, 'docs/library.md'), 'utf8').matchAll(/^```js\n([\s\S]*?)^```/gm),
  ([, program]) => program!,
)
const LIBRARY = pathToFileURL(join(ROOT, 'dist/index.js')).href

async function run(program: string, env: NodeJS.ProcessEnv = {}) {
  const source = program.replace("from 'spout'", `from '${LIBRARY}'`)
  const options = { env: { ...ENVIRONMENT, ...env }, cwd: ROOT } as const
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], options)
  const ended = new Promise((done) => child.on('close', done))
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  return { lines: stdout.split('\n'), stderr }
}

test('an answer whole and in pieces', async () => {
  const { lines, stderr } = await run(PROGRAMS[0]!)
  expect(lines[0]).toMatch(/ length 20$/)
  expect(lines[1]).toBe(lines[0]!.replace(/ length 20$/, ''))
  expect(stderr).toBe('')
})

test('one engine, several answers, and a loop that is left', async () => {
  const { lines, stderr } = await run(PROGRAMS[1]!)
  const [first, second, isLong] = lines
  for (const line of [first, second]) expect(JSON.parse(line!).length).toBeGreaterThan(5)
  expect(isLong).toBe('true')
  expect(stderr).toBe('')
})

test('a conversation, and a sink that returns nothing', async () => {
  const { lines, stderr } = await run(PROGRAMS[2]!)
  expect(lines[0]).toBe('0 true length')
  expect(lines[1]).toMatch(/^Once upon a time.{20,}/)
  expect(stderr).toBe('')
})

let hub: FakeHub
beforeAll(async () => {
  hub = await FakeHub.start()
  const read = (file: string) => readFileSync(join(ROOT, 'fixtures/models/spout-tiny', file))
  const names = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json']
  const files = Object.fromEntries(names.map((name) => [name, read(name)]))
  hub.repos.set('org/name', {
    commit: COMMIT,
    files: { ...files, 'onnx/model_q4.onnx': read('onnx/model_q4.onnx') },
  })
})
afterAll(() => hub.stop())

test('models: fetched with progress, listed, prepared', async () => {
  const root = temporaryFolder()
  const { lines, stderr } = await run(PROGRAMS[3]!, {
    HF_ENDPOINT: hub.url,
    HF_HUB_OFFLINE: undefined,
    HF_HUB_CACHE: join(root, 'hub'),
    SPOUT_CACHE_DIR: join(root, 'own'),
  })
  expect(lines[0]).toMatch(/^org\/name q4 \d{7}$/)
  expect(lines[1]).toMatch(/^(prepared|refused .+) ?$/)
  expect(stderr).toMatch(/^onnx\/model_q4\.onnx: (\d+) of \1 bytes$/m)
})

test('an answer that satisfies a schema', async () => {
  expect((await run(PROGRAMS[4]!)).lines[0]).toBe('string')
})

test('the page has no other program', () => expect(PROGRAMS).toHaveLength(6))

test('how likely choices and a text are', async () => {
  const { lines } = await run(PROGRAMS[5]!)
  expect(lines.slice(0, 2)).toEqual(['true true', expect.stringMatching(/^true \d+$/)])
})
