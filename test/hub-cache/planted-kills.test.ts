import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { listFiles } from '../../src/system/list-files.ts'
import { newIdentity } from '../../src/system/process-identity.ts'
import { etagOf, FakeHub } from '../support/fake-hub.ts'
import { COMMIT, modelRepo, PULLED, pull, REPO, temporaryFolder } from '../support/model-repo.ts'
import { startPull } from '../support/pull-process.ts'
import { makeRandom } from '../support/random.ts'

// Downloads into a cache that others can write to, killed at random, with things of theirs among the files: nothing outside
// the cache is touched, and the next download is whole. SPOUT_PLANT_ROUNDS sets how many, SPOUT_PLANT_SEED which; 200 of
// them with their figures: npm run trial:kills.

const ROUNDS = Number(process.env.SPOUT_PLANT_ROUNDS ?? 4)
const SEED = Number(process.env.SPOUT_PLANT_SEED ?? Date.now() % 1_000_000)
const AT_ONCE = 4
const MOST_PLANTS = 12
const NOBODY = 65534
/** Only root can give a file to another user. */
const isRoot = process.geteuid?.() === 0

const folder = 'models--org--name'
const repo = modelRepo()
const files = new Map(
  PULLED.map((name) => {
    const file = repo.files[name]!
    const content = typeof file === 'string' ? Buffer.from(file) : Buffer.isBuffer(file) ? file : file.content
    return [
      name,
      { content, etag: etagOf(Buffer.isBuffer(file) || typeof file === 'string' ? { content } : file) },
    ]
  }),
)

/** What somebody puts at a path; `outside` holds what is precious to the victim. */
const KINDS: Readonly<Record<string, (path: string, outside: string) => void>> = {
  link: (path, outside) => symlinkSync(join(outside, 'precious'), path),
  'dangling link': (path, outside) => symlinkSync(join(outside, 'made'), path),
  'second name': (path, outside) => linkSync(join(outside, 'twin'), path),
  'link to a device': (path) => symlinkSync('/dev/zero', path),
  'link to a folder': (path, outside) => symlinkSync(join(outside, 'folder'), path),
  pipe: (path) => void execFileSync('mkfifo', [path], { stdio: 'ignore' }),
  folder: (path) => mkdirSync(path),
  ...(isRoot && {
    'foreign file': (path) => {
      writeFileSync(path, 'theirs', { flag: 'wx' })
      chownSync(path, NOBODY, NOBODY)
    },
    'foreign link': (path, outside) => {
      symlinkSync(join(outside, 'folder'), path)
      execFileSync('chown', ['-h', String(NOBODY), path])
    },
    'foreign pipe': (path) => {
      execFileSync('mkfifo', [path], { stdio: 'ignore' })
      chownSync(path, NOBODY, NOBODY)
    },
  }),
}

/** The places where a download makes something. */
const PLACES: readonly ((random: () => number) => string)[] = [
  (random) => join(folder, 'blobs', `${anEtag(random)}.${deadIdentity()}.incomplete`),
  (random) => join(folder, 'blobs', `${anEtag(random)}.${deadIdentity()}.incomplete`),
  (random) => join('.locks', folder, `${anEtag(random)}.spout.lock`),
  (random) => join(folder, 'blobs', anEtag(random)),
  (random) => join(folder, 'snapshots', COMMIT, PULLED[Math.floor(random() * PULLED.length)]!),
  () => join(folder, 'blobs', `.${deadIdentity()}.tmp`),
  () => join(folder, 'refs/main'),
  () => join(folder, '.no_exist', COMMIT, 'chat_template.jinja'),
  () => join(folder, 'trees', `${COMMIT}.json`),
  () => 'CACHEDIR.TAG',
]
/** Folders of the cache: a link in their place is another's, or it would be the user's own wish. */
const FOLDERS = ['.locks', folder, join(folder, 'blobs'), join(folder, 'snapshots', COMMIT, 'onnx')]

function anEtag(random: () => number): string {
  return [...files.values()][Math.floor(random() * files.size)]!.etag
}

function deadIdentity(): string {
  return newIdentity().replace(/^p\d+s\d+/, 'p1s1')
}

interface Planted {
  readonly path: string
  readonly kind: string
}

function plant(root: string, outside: string, random: () => number): Planted[] {
  const names = Object.keys(KINDS)
  const planted: Planted[] = []
  const put = (place: string, kind: string) => {
    const path = join(root, place)
    try {
      mkdirSync(dirname(path), { recursive: true })
      KINDS[kind]!(path, outside)
      planted.push({ path, kind })
    } catch {
      // Something is there already.
    }
  }
  if (isRoot && random() < 0.1) put(FOLDERS[Math.floor(random() * FOLDERS.length)]!, 'foreign link')
  const count = 1 + Math.floor(random() * MOST_PLANTS)
  for (let i = 0; i < count; i++) {
    put(PLACES[Math.floor(random() * PLACES.length)]!(random), names[Math.floor(random() * names.length)]!)
  }
  return planted
}

/**
 * All that can be told of what lies in a folder: also that nobody has so much as touched it. A file that was given a second
 * name in the cache loses that when a file of ours takes its place there, and nothing else.
 */
function stateOf(path: string): string {
  const status = lstatSync(path, { bigint: true })
  const { mode, uid, gid, size, mtimeNs, ino } = status
  const names = basename(path) === 'twin' ? [] : [status.nlink, status.ctimeNs]
  const content = status.isFile()
    ? createHash('sha256').update(readFileSync(path)).digest('hex')
    : status.isDirectory()
      ? readdirSync(path)
          .sort()
          .map((name) => `${name}: ${stateOf(join(path, name))}`)
          .join('\n')
      : status.isSymbolicLink()
        ? readlinkSync(path)
        : ''
  return [mode, uid, gid, size, mtimeNs, ino, ...names, content].join(' ')
}

function makeOutside(): string {
  const outside = temporaryFolder()
  for (const name of [
    'precious',
    'twin',
    'folder/model_q4.onnx',
    'folder/config.json',
    `folder/${anEtag(() => 0)}`,
  ]) {
    mkdirSync(dirname(join(outside, name)), { recursive: true })
    writeFileSync(join(outside, name), `precious ${name}`, { mode: 0o600 })
  }
  return outside
}

interface Round {
  readonly planted: readonly Planted[]
  readonly killed: boolean
  /** Refused because of a folder that was another's link. */
  readonly refused: boolean
}

async function killAndGoOn(random: () => number): Promise<Round> {
  const [root, outside, hub] = [temporaryFolder(), makeOutside(), await FakeHub.start()]
  try {
    hub.repos.set(REPO, repo)
    hub.pace = { chunk: 4_000, ms: 10 }
    chmodSync(root, 0o1777)
    const planted = plant(root, outside, random)
    const before = stateOf(outside)
    const { child, ended } = startPull({ hub, root })
    await new Promise<void>((go) => child.stdout!.once('data', () => go()))
    await new Promise((go) => setTimeout(go, random() * 650))
    child.kill('SIGKILL')
    const { signal } = await ended
    expect(stateOf(outside)).toBe(before)
    hub.pace = undefined
    const error = await pull(hub, root).catch((e) => e)
    expect(stateOf(outside)).toBe(before)
    const refused = error instanceof Error
    if (refused) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(permission|cache)$/) })
      for (const { path } of planted) rmSync(path, { recursive: true, force: true })
    }
    const cleaned = stateOf(outside)
    await pull(hub, root)
    expect(stateOf(outside)).toBe(cleaned)
    for (const [name, { content }] of files) {
      const path = join(root, folder, 'snapshots', COMMIT, name)
      expect([name, readFileSync(path).equals(content)]).toEqual([name, true])
    }
    expect(listFiles(join(root, folder, 'snapshots', COMMIT))).toEqual(PULLED)
    return { planted, killed: signal === 'SIGKILL', refused }
  } finally {
    await hub.stop()
    for (const path of [root, outside]) rmSync(path, { recursive: true, force: true })
  }
}

it(`${ROUNDS} downloads killed among planted files (seed ${SEED}): nothing outside the cache is touched`, async () => {
  const random = makeRandom(SEED)
  const seeds = Array.from({ length: ROUNDS }, () => Math.floor(random() * 2 ** 31))
  const rounds: Round[] = []
  while (rounds.length < ROUNDS) {
    const some = seeds.slice(rounds.length, rounds.length + AT_ONCE)
    rounds.push(...(await Promise.all(some.map((seed) => killAndGoOn(makeRandom(seed))))))
  }
  const kinds: Record<string, number> = {}
  for (const { kind } of rounds.flatMap(({ planted }) => planted)) kinds[kind] = (kinds[kind] ?? 0) + 1
  const count = (is: (round: Round) => boolean) => rounds.filter(is).length
  const figures = {
    rounds: ROUNDS,
    killed: count((r) => r.killed),
    refused: count((r) => r.refused),
    seed: SEED,
    kinds,
  }
  if (process.env.SPOUT_PLANT_ROUNDS) console.info(figures)
  expect(rounds).toHaveLength(ROUNDS)
}, 900_000)
