/**
 * Somebody else who may write to the cache puts a link in the place of a folder, over and over, while it is worked in: between a
 * look and what follows it. What is made, renamed and removed stays in the cache.
 */
import {
  existsSync,
  lchownSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { beforeEach, describe, expect, it } from 'vitest'
import { pointTo, sweepCache, writeNote } from '../../src/hub-cache/cache-writes.ts'
import { repoCache } from '../../src/hub-cache/hub-cache.ts'
import { acquireLock } from '../../src/system/file-lock.ts'
import { HeldFolder, removeBelow } from '../../src/system/held-folder.ts'
import { newIdentity } from '../../src/system/process-identity.ts'
import { COMMIT, REPO, temporaryFolder } from '../support/model-repo.ts'

const STRANGER = 4242
const PRECIOUS = 'precious'
const ROUNDS = Number(process.env.RACE_ROUNDS ?? 400)
const ETAG = 'e'.repeat(40)
/** Of a process that began when nobody did. */
const DEAD = newIdentity().replace(/s\d+b/, 's1b')
const LOCKING = {
  patience: { pollMs: 1, lockStaleMs: 60_000, noticeMs: 1000 },
  isDone: () => false,
  onWait: () => undefined,
}

/** Puts a stranger's link to `outside` in the place of `folder` and the folder back, until it is told to stop. */
const FLIPPER = `
const { workerData } = require('node:worker_threads')
const fs = require('node:fs')
const { folder, outside, stranger, stop } = workerData
const flag = new Int32Array(stop)
const link = folder + '.link'
fs.symlinkSync(outside, link)
fs.lchownSync(link, stranger, stranger)
while (Atomics.load(flag, 0) === 0) {
  fs.renameSync(folder, folder + '.was')
  for (let isThere = false; !isThere; ) {
    try {
      fs.renameSync(link, folder)
      isThere = true
    } catch {
      try {
        fs.rmSync(folder, { recursive: true, force: true }) // It was made anew.
      } catch {}
    }
  }
  for (let i = 0; i < 500; i++) Atomics.load(flag, 0)
  fs.renameSync(folder, link)
  for (let isThere = false; !isThere; ) {
    try {
      fs.renameSync(folder + '.was', folder)
      isThere = true
    } catch {
      try {
        fs.rmSync(folder, { recursive: true, force: true })
      } catch {}
    }
  }
  for (let i = 0; i < 2000; i++) Atomics.load(flag, 0)
}
`

let root: string
let outside: string
beforeEach(() => {
  root = temporaryFolder()
  outside = temporaryFolder()
})

/** Acts many times while the folder is flipped; gives how often it came through. */
async function whileFlipping(folder: string, act: () => unknown): Promise<number> {
  const stop = new SharedArrayBuffer(4)
  const worker = new Worker(FLIPPER, {
    eval: true,
    workerData: { folder, outside, stranger: STRANGER, stop },
  })
  const ended = new Promise((end) => worker.once('exit', end))
  await new Promise((ready) => worker.once('online', ready))
  let done = 0
  for (let i = 0; i < ROUNDS; i++) {
    try {
      await act()
      done++
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      expect(['permission', 'ENOENT', 'EEXIST', 'ENOTDIR', 'ENOTEMPTY']).toContain(code)
    }
    if (i % 20 === 0) await new Promise(setImmediate)
  }
  Atomics.store(new Int32Array(stop), 0, 1)
  await ended
  return done
}

function precious(name: string): string {
  const path = join(outside, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, PRECIOUS)
  return path
}

const isLinuxRoot = process.platform === 'linux' && process.getuid?.() === 0

describe.skipIf(!isLinuxRoot)(
  'a folder of the cache that another user swaps for a link (needs root and /proc)',
  () => {
    it('a pointer replaces no file elsewhere', async () => {
      const cache = repoCache(root, REPO)
      const pointer = cache.file(COMMIT, 'config.json')
      for (const path of [cache.blob(ETAG), pointer]) mkdirSync(dirname(path), { recursive: true })
      writeFileSync(cache.blob(ETAG), '{}')
      const victim = precious('config.json')
      const done = await whileFlipping(dirname(pointer), () =>
        pointTo(pointer, cache.blob(ETAG), { cache, copy: false }),
      )
      expect(readFileSync(victim, 'utf8')).toBe(PRECIOUS)
      expect(done).toBeGreaterThan(0)
      expect(readFileSync(pointer, 'utf8')).toBe('{}')
    })

    it('a ref replaces no file elsewhere', async () => {
      const cache = repoCache(root, REPO)
      for (const path of [cache.blob(ETAG), cache.ref('main')]) mkdirSync(dirname(path), { recursive: true })
      const victim = precious('main')
      let count = 0
      const done = await whileFlipping(dirname(cache.ref('main')), () =>
        writeNote(cache.ref('main'), String(count++), cache),
      )
      expect(readFileSync(victim, 'utf8')).toBe(PRECIOUS)
      expect(done).toBeGreaterThan(0)
    })

    it('a removal removes nothing elsewhere', async () => {
      const folder = join(root, 'models--org--name/snapshots')
      const victim = precious('onnx/deep/model.onnx')
      mkdirSync(folder, { recursive: true })
      await whileFlipping(folder, () => {
        mkdirSync(join(root, 'made/deep'), { recursive: true })
        writeFileSync(join(root, 'made/deep/model.onnx'), '')
        if (!existsSync(join(folder, 'onnx'))) renameSync(join(root, 'made'), join(folder, 'onnx'))
        removeBelow(root, join(folder, 'onnx'))
      })
      expect(readFileSync(victim, 'utf8')).toBe(PRECIOUS)
    })

    it('a lock is taken from nobody elsewhere', async () => {
      const { lock: lockOf, locks } = repoCache(root, REPO)
      mkdirSync(locks, { recursive: true })
      const path = lockOf(ETAG)
      const victim = precious(basename(path))
      await whileFlipping(locks, async () => {
        // Nobody has touched it for long: who meets it takes it away.
        lutimesSync(victim, 1, 1)
        const lock = await acquireLock(path, { ...LOCKING, root })
        lock?.release()
      })
      expect(readFileSync(victim, 'utf8')).toBe(PRECIOUS)
    })

    it('a sweep enters no folder that somebody has put there since it was looked at', () => {
      const cache = repoCache(root, REPO)
      mkdirSync(dirname(cache.scratch), { recursive: true })
      symlinkSync(outside, cache.scratch)
      lchownSync(cache.scratch, STRANGER, STRANGER)
      const victims = [`.${DEAD}.tmp`, `${ETAG}.${DEAD}.incomplete`].map(precious)
      for (const victim of victims) lutimesSync(victim, 1, 1)
      expect(() => sweepCache(cache)).toThrow(expect.objectContaining({ code: 'permission' }))
      for (const victim of victims) expect(readFileSync(victim, 'utf8')).toBe(PRECIOUS)
    })
  },
)

describe.skipIf(process.platform !== 'linux')('a folder that is held', () => {
  it('is the one that was opened, wherever it is moved and whatever has its name then', () => {
    const path = join(root, 'a/b')
    const held = HeldFolder.open(root, path)
    try {
      renameSync(path, join(root, 'moved'))
      mkdirSync(path)
      writeFileSync(join(held.path, 'file'), 'x')
      expect(readFileSync(join(root, 'moved/file'), 'utf8')).toBe('x')
      expect(existsSync(join(path, 'file'))).toBe(false)
    } finally {
      held.close()
    }
  })

  it('a removal follows no link in what it removes, and misses nothing without complaint', () => {
    const victim = precious('kept')
    const folder = join(root, 'a')
    mkdirSync(join(folder, 'b/c'), { recursive: true })
    for (const name of ['d', 'b/d', 'b/c/d']) symlinkSync(outside, join(folder, name))
    removeBelow(root, folder)
    removeBelow(root, join(root, 'never/there'))
    expect(existsSync(folder)).toBe(false)
    expect(readFileSync(victim, 'utf8')).toBe(PRECIOUS)
  })
})
