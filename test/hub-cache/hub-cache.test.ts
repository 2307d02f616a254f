import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { blobName } from '../../src/hub-cache/blob-hash.ts'
import { cacheError } from '../../src/hub-cache/cache-errors.ts'
import { cachedCommit, repoCache } from '../../src/hub-cache/hub-cache.ts'
import { resolveModel } from '../../src/hub-cache/resolve-model.ts'
import { listFiles } from '../../src/system/list-files.ts'
import { newIdentity } from '../../src/system/process-identity.ts'
import { etagOf, FakeHub, type FakeRepo } from '../support/fake-hub.ts'
import {
  COMMIT,
  modelRepo,
  PULLED,
  pull,
  pulling,
  REPO,
  temporaryFolder,
  WEIGHTS,
} from '../support/model-repo.ts'
import { canRun, startPull } from '../support/pull-process.ts'

const DATA = 'onnx/model_q4.onnx_data'
const onLinux = process.platform === 'linux'
const hasStrace = onLinux && canRun('strace', '-qq', '-e', 'trace=none', 'true')
const hasMounts = onLinux && canRun('unshare', '-Urm', 'true')

let hub: FakeHub
let root: string
let repo: FakeRepo
beforeEach(async () => {
  hub = await FakeHub.start()
  repo = modelRepo()
  hub.repos.set(REPO, repo)
  root = temporaryFolder()
})
afterEach(async () => {
  await hub.stop()
  rmSync(root, { recursive: true, force: true })
})

const snapshot = () => join(root, 'models--org--name', 'snapshots', COMMIT)
const blobFolder = () => join(root, 'models--org--name/blobs')
const etag = () => etagOf({ content: repo.files[DATA] as Buffer })
const blob = () => join(blobFolder(), etag())

async function expectWholeCache(): Promise<void> {
  expect(listFiles(snapshot())).toEqual(PULLED)
  for (const name of readdirSync(blobFolder())) {
    const path = join(blobFolder(), name)
    expect(await blobName(path, name, { bytes: statSync(path).size })).toBe(name)
  }
  for (const file of PULLED)
    expect(realpathSync(join(snapshot(), file)).startsWith(realpathSync(blobFolder()))).toBe(true)
}

describe('writing', () => {
  it('C1: every blob hashes to its name, sha256 or git sha1', async () => {
    await pull(hub, root)
    await expectWholeCache()
    const names = readdirSync(blobFolder())
    expect(names.some((n) => n.length === 40) && names.some((n) => n.length === 64)).toBe(true)
    const git = execFileSync('git', ['hash-object', join(snapshot(), 'config.json')], {
      encoding: 'utf8',
    }).trim()
    expect(names).toContain(git)
  })

  it.skipIf(!hasStrace)(
    'C1: bytes are durable before they have their name, links come next, the ref last (needs strace)',
    async () => {
      const log = join(root, 'strace')
      const calls = 'trace=fsync,rename,renameat,renameat2,symlink,symlinkat'
      const { ended } = startPull({ hub, root, under: ['strace', '-f', '-y', '-o', log, '-e', calls, '{}'] })
      expect(await ended).toMatchObject({ code: 0 })
      const lines = readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => !line.includes('= -1'))
      const at = (pattern: RegExp) => lines.findIndex((line) => pattern.test(line))
      const steps = [
        at(new RegExp(`fsync\\(.*${etag()}\\..*incomplete`)),
        at(new RegExp(`rename.*${etag()}\\..*incomplete.*${etag()}"`)),
        at(new RegExp(`symlink.*blobs/${etag()}`)),
        at(/rename.*\/main"/),
      ]
      expect(steps).not.toContain(-1)
      expect(steps).toEqual([...steps].sort((a, b) => a - b))
      const folderSync = lines.findIndex((line, i) => i > steps[1]! && /fsync\(\d+<[^>]*blobs>/.test(line))
      expect(folderSync).toBeGreaterThan(steps[1]!)
      expect(folderSync).toBeLessThan(steps[2]!)
      expect(lines.findLastIndex((line) => /symlink|rename/.test(line))).toBe(steps[3])
    },
  )

  it('C2: what dead processes left for a day is swept, what lives, is young or is not ours is not', async () => {
    await pull(hub, root)
    const dead = newIdentity().replace(`p${process.pid}s`, 'p999999999s')
    const alive = newIdentity().replace(/^p\d+s\d+/, `p1s${startTime(1)}`)
    const file = (owner: string) => join(blobFolder(), `${'a'.repeat(64)}.${owner}.incomplete`)
    const scratch = join(blobFolder(), `.${dead}.tmp`)
    const old = (Date.now() - 25 * 3_600_000) / 1000
    for (const path of [file(dead), file(alive), file('0123abcd'), scratch]) {
      writeFileSync(path, 'x')
      utimesSync(path, old, old)
    }
    const young = join(blobFolder(), `${'b'.repeat(64)}.${dead}.incomplete`)
    writeFileSync(young, 'x')
    await pull(hub, root, { refresh: true })
    const left = [file(dead), scratch, file(alive), file('0123abcd'), young].map((path) => existsSync(path))
    expect(left).toEqual([false, false, true, true, true])
  })

  it.each(['ENOSPC', 'EDQUOT', 'EFBIG'])('C4: %s is a full disk: 73', (code) => {
    const error = cacheError(Object.assign(new Error(), { code, syscall: 'open' }), '/x')
    expect(error).toMatchObject({ code: 'cache', message: '/x: the disk is full' })
  })

  it.skipIf(!hasMounts)(
    'C4: a disk that is full meanwhile: 73, the partial file removed (needs mounts of its own)',
    async () => {
      const size = 3_000_000
      const big = Buffer.alloc(size, 3)
      hub.repos.set(
        REPO,
        modelRepo({
          files: { ...repo.files, 'onnx/model.onnx': repo.files['onnx/model.onnx']!, [DATA]: big },
        }),
      )
      mkdirSync(join(root, 'disk'))
      const script = `mount -t tmpfs -o size=2m tmpfs ${root}/disk && "$@"; s=$?; ls ${root}/disk/*/blobs; exit $s`
      const env = { HF_HUB_CACHE: join(root, 'disk') }
      const before = startPull({ hub, root, env, under: ['unshare', '-Urm', 'sh', '-c', script, 'sh', '{}'] })
      expect(await before.ended).toMatchObject({ code: 73 })
      // The disk is full only once the download is under way: the room was there when it was looked at.
      const begun = `ls ${root}/disk/*/blobs/${etag()}.*`
      const wait = `for i in $(seq 600); do ${begun} && break; sleep 0.05; done`
      const fill = `head -c 1900000 /dev/zero > ${root}/disk/filler`
      const filler = script.replace('&& "$@"', `&& { (${wait}; ${fill}) > /dev/null 2>&1 & "$@"; }`)
      hub.repos.set(REPO, repo)
      hub.pace = { chunk: 10_000, ms: 100 }
      const { ended } = startPull({
        hub,
        root,
        env,
        under: ['unshare', '-Urm', 'sh', '-c', filler, 'sh', '{}'],
      })
      const { code, stdout: listing } = await ended
      expect(code).toBe(73)
      expect(listing).toMatch(/the disk is full: 200000 bytes are needed, \d+ bytes are free/)
      expect(listing).not.toContain('.incomplete\n')
      expect(hub.gets(DATA).filter((r) => r.origin === 'cdn')).toHaveLength(1)
    },
  )

  it.skipIf(!hasMounts)(
    'C5: a cache that cannot be written: a hit writes nothing, a miss is 73 (needs mounts of its own)',
    async () => {
      await pull(hub, root)
      const script = `mount --bind -o ro ${root} ${root} && mount -o remount,bind,ro ${root} && exec "$@"`
      const under = ['unshare', '-Urm', 'sh', '-c', script, 'sh', '{}']
      hub.requests.length = 0
      expect(await startPull({ hub, root, under }).ended).toMatchObject({ code: 0 })
      expect(hub.requests).toEqual([])
      const miss = await startPull({ hub, root, under, options: { dtype: 'fp32' } }).ended
      expect(miss).toMatchObject({
        code: 73,
        output: { error: { hint: expect.stringContaining('HF_HUB_CACHE') } },
      })
    },
  )

  it('C6: a cache that is a file, or whose name is too long: 73 naming it', async () => {
    const file = join(root, 'file')
    writeFileSync(file, '')
    for (const cacheDir of [file, join(file, 'below'), join(root, 'x'.repeat(300))]) {
      await expect(pull(hub, root, { cacheDir })).rejects.toMatchObject({
        code: 'cache',
        message: expect.stringContaining(cacheDir),
      })
    }
  })

  it('C8: without symlinks the snapshot holds the files themselves', async () => {
    const { options } = pulling(hub, root)
    const env = { ...options.env, HF_HUB_DISABLE_SYMLINKS: '1' }
    await resolveModel({ ...options, env })
    expect(PULLED.every((file) => lstatSync(join(snapshot(), file)).isFile())).toBe(true)
    expect(readdirSync(blobFolder())).toEqual([])
    hub.requests.length = 0
    await resolveModel({ ...options, env })
    expect(hub.requests).toEqual([])
    await resolveModel({ ...options, env, refresh: true })
    expect(hub.requests.map((r) => r.method)).toEqual(['GET', 'GET'])
  })

  it.skipIf(!hasStrace)('C12: an fsync that fails is a failed download (needs strace)', async () => {
    const inject = ['-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO']
    const under = ['strace', '-f', '-qq', '-o', '/dev/null', ...inject, '{}']
    expect(await startPull({ hub, root, under }).ended).toMatchObject({ code: 73 })
    expect(existsSync(join(root, 'models--org--name/refs/main'))).toBe(false)
    expect(readdirSync(blobFolder()).filter((name) => /^[0-9a-f]+$/.test(name))).toEqual([])
  })

  it('C12: too many open files: 71', () => {
    for (const code of ['EMFILE', 'ENFILE']) {
      expect(cacheError(Object.assign(new Error(), { code, syscall: 'open' }), '/x')).toMatchObject({
        code: 'os',
      })
    }
  })

  it('C14: the umask rules the modes, locks are open to the group', async () => {
    const seen: number[] = []
    hub.onRequest = ({ origin }) => {
      if (origin !== 'cdn') return
      const locks = join(root, '.locks/models--org--name')
      for (const name of readdirSync(locks)) seen.push(statSync(join(locks, name)).mode & 0o777)
    }
    const umask = process.umask(0o027)
    try {
      await pull(hub, root)
    } finally {
      process.umask(umask)
    }
    expect(statSync(blob()).mode & 0o777).toBe(0o640)
    expect(statSync(snapshot()).mode & 0o777).toBe(0o750)
    expect(seen.length).toBeGreaterThan(0)
    expect(new Set(seen)).toEqual(new Set([0o664]))
    expect(readdirSync(join(root, '.locks/models--org--name'))).toEqual([])
  })
})

function startTime(pid: number): string {
  const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return status.slice(status.lastIndexOf(')') + 2).split(' ')[19]!
}

describe('several processes', () => {
  it('C3: sixteen that want one model end with one good blob, and ask for its bytes once', async () => {
    hub.pace = { chunk: 20_000, ms: 10 }
    const pulls = Array.from({ length: 16 }, () => startPull({ hub, root }).ended)
    const ends = await Promise.all(pulls)
    expect(ends.map((end) => [end.code, end.output.error])).toEqual(
      Array.from({ length: 16 }, () => [0, undefined]),
    )
    await expectWholeCache()
    expect(readdirSync(blobFolder())).toHaveLength(PULLED.length)
    expect(hub.gets(DATA).filter((r) => r.origin === 'cdn')).toHaveLength(1)
  })

  it('C3: who waits says so at intervals, and goes on himself when the other is killed', async () => {
    hub.pace = { chunk: 1_000, ms: 40 }
    const first = startPull({ hub, root })
    await until(() => hub.gets(DATA).some((r) => r.origin === 'cdn'))
    const second = startPull({ hub, root })
    // It has asked about the weights, so it is at the lock now.
    await until(() => hub.requests.filter((r) => r.method === 'HEAD' && r.path.endsWith(DATA)).length === 2)
    await new Promise((go) => setTimeout(go, 500))
    first.child.kill('SIGKILL')
    hub.pace = undefined
    const { code, output } = await second.ended
    expect({ code, error: output.error }).toEqual({ code: 0, error: undefined })
    expect(output.notes).toContainEqual(expect.stringContaining('waiting for another process'))
    await expectWholeCache()
    expect(hub.gets(DATA).filter((r) => r.headers.range?.startsWith('bytes='))).not.toEqual([])
  })

  it('C3: a lock that nobody touches is not waited for', async () => {
    const cache = repoCache(root, REPO)
    mkdirSync(join(cache.lock(etag()), '..'), { recursive: true })
    writeFileSync(cache.lock(etag()), 'someone on another machine')
    const old = Date.now() / 1000 - 3600
    utimesSync(cache.lock(etag()), old, old)
    await pull(hub, root)
    await expectWholeCache()
  })

  it('two pulls in one process share one download', async () => {
    hub.pace = { chunk: 20_000, ms: 10 }
    await Promise.all([pull(hub, root), pull(hub, root)])
    expect(hub.gets(DATA).filter((r) => r.origin === 'cdn')).toHaveLength(1)
  })
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((go) => setTimeout(go, 10))
}

describe('a cache that is not as it should be', () => {
  it('C7: a pointer that dangles or loops is mended', async () => {
    await pull(hub, root)
    const pointer = join(snapshot(), 'tokenizer.json')
    for (const target of ['nowhere', 'tokenizer.json']) {
      unlinkSync(pointer)
      symlinkSync(target, pointer)
      await expect(pull(hub, root, { offline: true })).rejects.toMatchObject({ code: 'not-found' })
      await pull(hub, root)
      await expectWholeCache()
    }
  })

  it.each(['tokenizer.json', 'onnx/model_q4.onnx', DATA])(
    'C7: a pointer out of the cache is refused: %s',
    async (name) => {
      await pull(hub, root)
      const pointer = join(snapshot(), name)
      const outside = join(temporaryFolder(), 'outside')
      writeFileSync(outside, readFileSync(pointer))
      unlinkSync(pointer)
      symlinkSync(outside, pointer)
      await expect(pull(hub, root)).rejects.toMatchObject({ code: 'config', message: /leads outside/ })
      await pull(hub, root, { refresh: true })
      await expectWholeCache()
    },
  )

  it.each(['', '../../x', '0'.repeat(39), 'x'.repeat(40), `${'0'.repeat(40)}\n${'1'.repeat(40)}`])(
    'C9: a ref that says %j counts as absent',
    async (text) => {
      await pull(hub, root)
      writeFileSync(join(root, 'models--org--name/refs/main'), text)
      expect(cachedCommit(repoCache(root, REPO), 'main')).toBeUndefined()
      await expect(pull(hub, root, { offline: true })).rejects.toMatchObject({ code: 'not-found' })
      await pull(hub, root)
      expect(cachedCommit(repoCache(root, REPO), 'main')).toBe(COMMIT)
    },
  )

  it('C9: a ref with a newline at its end is a ref', async () => {
    await pull(hub, root)
    writeFileSync(join(root, 'models--org--name/refs/main'), `${COMMIT}\n`)
    expect(await pull(hub, root, { offline: true })).toMatchObject({ revision: COMMIT })
  })

  it.each([
    ['a short blob of weights', DATA, WEIGHTS - 1],
    ['an empty blob of weights', DATA, 0],
    ['a short graph', 'onnx/model_q4.onnx', 50],
    ['an empty tokenizer', 'tokenizer.json', 0],
  ])('C10: %s: 78 with its path, and --repair fetches it again', async (_, name, size) => {
    await pull(hub, root)
    const broken = realpathSync(join(snapshot(), name))
    truncateSync(broken, size)
    for (const offline of [true, false]) {
      await expect(pull(hub, root, { offline })).rejects.toMatchObject({
        code: 'config',
        message: expect.stringContaining(`cache is corrupt: ${broken}`),
        hint: 'spout models pull --repair org/name',
      })
    }
    await pull(hub, root, { refresh: true, repair: true })
    await expectWholeCache()
  })

  it('C10: a blob of the right length and wrong bytes is found by --repair, the good ones are kept', async () => {
    await pull(hub, root)
    const bytes = readFileSync(blob())
    bytes[100]! ^= 1
    writeFileSync(blob(), bytes)
    const good = realpathSync(join(snapshot(), 'tokenizer.json'))
    const before = statSync(good).ino
    hub.requests.length = 0
    await pull(hub, root, { refresh: true, repair: true })
    await expectWholeCache()
    expect(statSync(good).ino).toBe(before)
    expect(hub.requests.filter((r) => r.origin === 'cdn')).toHaveLength(1)
  })

  it('C11: a blob is replaced, never written to: who has it open keeps the old bytes', async () => {
    await pull(hub, root)
    writeFileSync(blob(), 'old')
    const handle = openSync(blob(), 'r')
    await pull(hub, root, { refresh: true, repair: true })
    expect(readFileSync(handle, 'utf8')).toBe('old')
    closeSync(handle)
    await expectWholeCache()
  })

  it('C13: a cache everybody can write to: one warning', async () => {
    await pull(hub, root)
    chmodSync(root, 0o777)
    const { notes, options } = pulling(hub, root)
    await resolveModel(options)
    expect(notes).toEqual([expect.stringContaining('everybody can write')])
    chmodSync(root, 0o1777)
    await resolveModel(options)
    expect(notes).toHaveLength(1)
  })

  it('a blob that Python has moved to its shared store is read and not refused', async () => {
    await pull(hub, root)
    const store = join(root, 'blobs', etag().slice(0, 2))
    mkdirSync(store, { recursive: true })
    writeFileSync(join(store, etag()), readFileSync(blob()))
    unlinkSync(blob())
    symlinkSync(`../../blobs/${etag().slice(0, 2)}/${etag()}`, blob())
    expect(basename((await pull(hub, root, { offline: true })).onnxPath)).toBe('model_q4.onnx')
  })
})
