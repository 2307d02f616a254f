/** The clients that programs have speak to the server: OpenAI's own libraries. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type TestServer } from '../support/api-server.ts'
import { ROOT } from '../support/run-spout.ts'

/** A Python that has `openai`, and the folder of the npm package of that name, where they are elsewhere. */
const python = process.env.SPOUT_PYTHON ?? 'python3'
const folder = process.env.SPOUT_OPENAI_PACKAGE ?? join(ROOT, 'node_modules/openai')
const CLIENTS = join(import.meta.dirname, 'clients')

let api: TestServer
beforeAll(async () => {
  api = await startServer()
})
afterAll(() => api.server.close())

/** Beside this process, for the server is in it. */
function run(command: string, argv: readonly string[]): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, argv)
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        said += chunk
      })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, said }))
  })
}

test.skipIf(spawnSync(python, ['-c', 'import openai']).status !== 0)(
  "OpenAI's library for Python (needs Python with openai)",
  async () => {
    expect(await run(python, [join(CLIENTS, 'openai_client.py'), api.url])).toEqual({ code: 0, said: 'ok\n' })
  },
)

test.skipIf(!existsSync(join(folder, 'index.mjs')))(
  "OpenAI's package for JavaScript (needs the package openai of npm)",
  async () => {
    const argv = [join(CLIENTS, 'openai-client.mjs'), api.url, folder]
    expect(await run(process.execPath, argv)).toEqual({ code: 0, said: 'ok\n' })
  },
)

test('nothing of what they had asked for and left goes on', async () => {
  await api.until('spout_texts_running', (count) => count === 0)
  await api.until('spout_texts_open', (count) => count === 0)
})
