import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeHub } from '../support/fake-hub.ts'
import { COMMIT, modelRepo, pull, REPO, temporaryFolder } from '../support/model-repo.ts'
import { canRun, startPull } from '../support/pull-process.ts'

const hasStrace = process.platform === 'linux' && canRun('strace', '-qq', '-e', 'trace=none', 'true')

let hub: FakeHub
let root: string
beforeEach(async () => {
  hub = await FakeHub.start()
  hub.repos.set(REPO, modelRepo())
  root = temporaryFolder()
  await pull(hub, root)
})
afterEach(async () => {
  await hub.stop()
  rmSync(root, { recursive: true, force: true })
})

// The environment names a proxy, too: nothing at all is to be opened.
const env = { HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9' }

describe('a model that is cached', () => {
  it.skipIf(!hasStrace).each([{ offline: true }, {}])(
    'H1: the system sees no socket opened: %j (needs strace)',
    async (options) => {
      const log = join(root, 'strace')
      const calls = 'trace=socket,connect,sendto'
      const { ended } = startPull({
        hub,
        root,
        options,
        env,
        under: ['strace', '-f', '-o', log, '-e', calls, '{}'],
      })
      expect(await ended).toMatchObject({ code: 0, output: { model: { revision: COMMIT } } })
      const network = readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => /AF_INET|connect\(|sendto\(/.test(line))
      expect(network).toEqual([])
    },
  )

  it.skipIf(!hasStrace)('H1: the same look does see a download (needs strace)', async () => {
    const log = join(root, 'strace')
    const { ended } = startPull({
      hub,
      root,
      options: { dtype: 'fp32' },
      under: ['strace', '-f', '-o', log, '-e', 'trace=connect', '{}'],
    })
    expect(await ended).toMatchObject({ code: 0 })
    expect(readFileSync(log, 'utf8')).toMatch(/connect\(.*AF_INET/)
  })

  it('H1: the code that could ask is not even loaded', async () => {
    const hook = join(root, 'hook.mjs')
    writeFileSync(
      hook,
      `import { registerHooks } from 'node:module'
       import net from 'node:net'
       import dns from 'node:dns'
       net.Socket.prototype.connect = () => { throw new Error('connect') }
       dns.lookup = () => { throw new Error('lookup') }
       process.on('exit', () => {
         const loaded = process.moduleLoadList.filter((name) => /NativeModule (http|https|tls|_http_client)$/.test(name))
         if (loaded.length > 0) process.exitCode = 99
       })`.replace(/import \{ registerHooks.*\n/, ''),
    )
    const { ended } = startPull({ hub, root, env, nodeOptions: ['--import', hook] })
    expect(await ended).toMatchObject({ code: 0, output: { model: { revision: COMMIT } } })
  })
})
