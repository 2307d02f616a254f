/** `spout -m org/name`, from nothing in the cache to an answer, by the built program. */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FakeHub } from '../support/fake-hub.ts'
import { CHAT_MODEL } from '../support/models.ts'
import { runHere } from '../support/run-here.ts'

const files = Object.fromEntries(
  readdirSync(CHAT_MODEL.folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path.slice(CHAT_MODEL.folder.length + 1).replaceAll('\\', '/'), readFileSync(path)]),
)

test('a model id is enough: downloaded once, then used without the hub', async () => {
  const hub = await FakeHub.start()
  hub.repos.set('org/tiny-chat', { commit: 'a'.repeat(40), files, branches: { main: 'a'.repeat(40) } })
  const env = {
    HF_ENDPOINT: hub.url,
    HF_HUB_OFFLINE: '',
    HF_HUB_CACHE: mkdtempSync(join(tmpdir(), 'spout-hub-')),
  }
  const argv = ['What is the capital of France?', '-t', '0', '-n', '6']

  const fresh = await runHere(['-m', 'org/tiny-chat', ...argv], { env })
  expect(fresh.code).toBe(0)
  expect(fresh.stderr).toMatch(/model_q4\.onnx/)
  const local = await runHere(['-m', CHAT_MODEL.folder, ...argv])
  expect(fresh.stdout).toBe(local.stdout)

  const asked = hub.requests.length
  await hub.stop()
  const cached = await runHere(['-m', 'org/tiny-chat', ...argv], { env })
  expect([cached.code, cached.stdout, cached.stderr]).toEqual([0, local.stdout, ''])
  expect(hub.requests.length).toBe(asked)

  const listed = await runHere(['models', 'list', '--json'], { env })
  expect(JSON.parse(listed.stdout)).toHaveLength(1)
  const absent = await runHere(['-m', 'org/other', '--offline', ...argv], { env })
  expect([absent.code, absent.stdout]).toEqual([66, ''])
})
