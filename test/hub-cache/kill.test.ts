import { existsSync, readdirSync, readlinkSync, realpathSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blobName } from '../../src/hub-cache/blob-hash.ts'
import { listFiles } from '../../src/system/list-files.ts'
import { etagOf, FakeHub } from '../support/fake-hub.ts'
import {
  COMMIT,
  modelRepo,
  PULLED,
  partialBytes,
  pull,
  REPO,
  temporaryFolder,
  WEIGHTS,
} from '../support/model-repo.ts'
import { canRun, startPull } from '../support/pull-process.ts'
import { makeRandom } from '../support/random.ts'

// Downloads killed at random moments. SPOUT_KILL_ROUNDS sets how many (8 by default), SPOUT_KILL_SEED which moments.

const ROUNDS = Number(process.env.SPOUT_KILL_ROUNDS ?? 8)
const SEED = Number(process.env.SPOUT_KILL_SEED ?? Date.now() % 1_000_000)
/** Rounds that run at once, each with a hub and a cache of its own: most of a round is waiting. */
const AT_ONCE = 4
const DATA = 'onnx/model_q4.onnx_data'

const repo = modelRepo()
const ETAG = etagOf({ content: repo.files[DATA] as Buffer })

let hub: FakeHub
beforeAll(async () => {
  hub = await openHub()
})
afterAll(() => hub.stop())

async function openHub(): Promise<FakeHub> {
  const opened = await FakeHub.start()
  opened.repos.set(REPO, repo)
  return opened
}

/** What must hold of a cache at any moment. */
async function expectSound(hub: FakeHub, root: string): Promise<void> {
  const folder = join(root, 'models--org--name')
  for (const name of filesIn(join(folder, 'blobs')).filter((n) => /^[0-9a-f]+$/.test(n))) {
    const path = join(folder, 'blobs', name)
    expect(await blobName(path, name, { bytes: statSync(path).size })).toBe(name)
  }
  const snapshot = join(folder, 'snapshots', COMMIT)
  for (const file of listFiles(snapshot)) {
    expect(readlinkSync(join(snapshot, file))).toMatch(/^(\.\.\/)+blobs\/[0-9a-f]+$/)
    expect(realpathSync(join(snapshot, file)).startsWith(realpathSync(join(folder, 'blobs')))).toBe(true)
  }
  if (existsSync(join(folder, 'refs/main'))) expect(listFiles(snapshot)).toEqual(PULLED)
  const offline = await pull(hub, root, { offline: true }).catch((e) => e)
  expect(['not-found', undefined]).toContain(offline.code)
}

function filesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

/** What a killed download left, and whether the next one went on from it. */
interface Round {
  readonly left: 'early' | 'partial' | 'whole'
  readonly resumed: boolean
}

/** One download of a hub of its own, killed `after` ms, and the one that goes on with it. */
async function killAndGoOn(after: number): Promise<Round> {
  const root = temporaryFolder()
  const hub = await openHub()
  hub.pace = { chunk: 4_000, ms: 10 }
  const { child, ended } = startPull({ hub, root })
  await new Promise<void>((go) => child.stdout!.once('data', () => go()))
  await new Promise((go) => setTimeout(go, after))
  child.kill('SIGKILL')
  const { code } = await ended
  await expectSound(hub, root)
  const left = partialBytes(root, ETAG)
  hub.pace = undefined
  hub.requests.length = 0
  await pull(hub, root)
  const asked = hub
    .gets(DATA)
    .filter((r) => r.origin === 'cdn')
    .map((r) => r.headers.range)
  const goesOn = left === WEIGHTS ? asked.length === 0 : asked[0] === `bytes=${left}-`
  await expectSound(hub, root)
  expect(listFiles(join(root, 'models--org--name/snapshots', COMMIT))).toEqual(PULLED)
  expect(filesIn(join(root, 'models--org--name/blobs')).filter((n) => n.includes('.'))).toEqual([])
  rmSync(root, { recursive: true })
  await hub.stop()
  return { left: code === 0 ? 'whole' : left > 0 ? 'partial' : 'early', resumed: left > 0 && goesOn }
}

describe('a download killed at a random moment', () => {
  it(`C2: ${ROUNDS} times (seed ${SEED}): nothing wrong ever has a final name, and the next run goes on`, async () => {
    const random = makeRandom(SEED)
    const moments = Array.from({ length: ROUNDS }, () => random() * 650)
    const rounds: Round[] = []
    while (rounds.length < ROUNDS)
      rounds.push(
        ...(await Promise.all(moments.slice(rounds.length, rounds.length + AT_ONCE).map(killAndGoOn))),
      )
    const count = (left: Round['left']) => rounds.filter((round) => round.left === left).length
    const seen = { early: count('early'), partial: count('partial'), whole: count('whole') }
    if (process.env.SPOUT_KILL_ROUNDS) console.info(seen)
    expect(rounds).toHaveLength(ROUNDS)
    expect(rounds.filter(({ resumed }) => resumed)).toHaveLength(seen.partial)
  }, 600_000)
})

describe('several downloads of one model, some of them killed', () => {
  it('C2 C3: those that live end well, and the cache is whole', async () => {
    const random = makeRandom(SEED + 1)
    for (let round = 0; round < 2; round++) {
      const root = temporaryFolder()
      hub.pace = { chunk: 8_000, ms: 10 }
      const pulls = Array.from({ length: 6 }, () => startPull({ hub, root }))
      const killed = pulls.slice(0, 3).map(async ({ child }) => {
        await new Promise((go) => setTimeout(go, 300 + random() * 900))
        child.kill('SIGKILL')
      })
      await Promise.all(killed)
      const ends = await Promise.all(pulls.slice(3).map(({ ended }) => ended))
      await Promise.all(pulls.map(({ ended }) => ended))
      expect(ends.map(({ code, output }) => [code, output.error])).toEqual(ends.map(() => [0, undefined]))
      await expectSound(hub, root)
      expect(listFiles(join(root, 'models--org--name/snapshots', COMMIT))).toEqual(PULLED)
      rmSync(root, { recursive: true })
    }
  }, 120_000)
})

/** Stops at the calls asked for, and at no other. */
const STRACE = ['-f', '--seccomp-bpf', '-qq', '-o', '/dev/null']
const hasStrace = process.platform === 'linux' && canRun('strace', ...STRACE, '-e', 'trace=none', 'true')

describe.skipIf(!hasStrace)('a download killed at every step of its last moments (needs strace)', () => {
  it('C1 C2: each rename, link and sync in turn is the last thing it does', async () => {
    const root = temporaryFolder()
    hub.pace = undefined
    for (const call of ['rename', 'symlink', 'fsync', 'link']) {
      for (let when = 1; when <= 40; when += when < 4 ? 1 : 5) {
        const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${when}`]
        const { ended } = startPull({
          hub,
          root,
          under: ['strace', ...STRACE, ...inject, '{}'],
        })
        const { code } = await ended
        await expectSound(hub, root)
        if (code === 0) break
        await pull(hub, root)
        await expectSound(hub, root)
        rmSync(join(root, 'models--org--name'), { recursive: true })
      }
      rmSync(join(root, 'models--org--name'), { recursive: true, force: true })
    }
    rmSync(root, { recursive: true })
  }, 120_000)
})
