import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { resolveModel } from '../../src/hub-cache/resolve-model.ts'
import { listFiles } from '../../src/system/list-files.ts'
import { etagOf, FakeHub, type FakeRepo, type Fault, type SeenRequest } from '../support/fake-hub.ts'
import {
  COMMIT,
  IMPATIENT,
  LATER,
  modelRepo,
  PULLED,
  partialBytes,
  pull,
  pulling,
  REPO,
  temporaryFolder,
  WEIGHTS,
} from '../support/model-repo.ts'
import { onnxBytes } from '../support/tiny-onnx.ts'

const DATA = 'onnx/model_q4.onnx_data'
const CANARY = 'hf_CANARYcanaryCANARY'

let hub: FakeHub
let root: string
let repo: FakeRepo
beforeEach(async () => {
  hub = await FakeHub.start()
  repo = modelRepo()
  hub.repos.set(REPO, repo)
  root = temporaryFolder()
  hub.kept = (file) => partialBytes(root, etagOf({ content: contentOf(file) }))
})
afterEach(async () => {
  await hub.stop()
  rmSync(root, { recursive: true, force: true })
})

const snapshot = (commit = COMMIT) => join(root, 'models--org--name', 'snapshots', commit)
const blobs = () => readdirSync(join(root, 'models--org--name/blobs'))
const weights = () => repo.files[DATA] as Buffer
const faults = (file: string, ...list: Fault[]) => hub.faults.set(file, list)
const always = (fault: Fault): Fault[] => Array.from({ length: 100 }, () => fault)
/** Where each request for the weights began. */
const starts = () =>
  hub
    .gets(DATA)
    .filter((r) => r.origin === 'cdn')
    .map((r) => r.headers.range ?? 'all')

/** That a pull ended well, with the right bytes and nothing half-made left. */
async function expectPulled(promise: Promise<unknown> = pull(hub, root)): Promise<void> {
  await promise
  expect(listFiles(snapshot())).toEqual(PULLED)
  for (const file of PULLED) expect(readFileSync(join(snapshot(), file)).equals(contentOf(file))).toBe(true)
  expect(blobs().filter((name) => !/^[0-9a-f]+$/.test(name))).toEqual([])
}

function contentOf(path: string): Buffer {
  const file = repo.files[path]!
  return Buffer.from(typeof file === 'string' || Buffer.isBuffer(file) ? file : file.content)
}

async function expectFailure(promise: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  const error = await promise.then(
    () => new Error('it succeeded'),
    (e) => e,
  )
  expect({ code: error.code, message: error.message }).toEqual({
    code,
    message: expect.stringMatching(message),
  })
  expect(`${error.message} ${error.hint}`).not.toMatch(/CANARY|[\x00-\x1f]/)
}

describe('a model that is not cached', () => {
  it('is downloaded, just the files needed', async () => {
    const model = await pull(hub, root)
    expect(model).toEqual({
      id: REPO,
      revision: COMMIT,
      folder: snapshot(),
      onnxPath: join(snapshot(), 'onnx/model_q4.onnx'),
      dtype: 'q4',
    })
    await expectPulled()
    expect(readFileSync(join(root, 'models--org--name/refs/main'), 'utf8')).toBe(COMMIT)
    expect(readlinkSync(join(snapshot(), DATA))).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/)
    expect(existsSync(join(root, 'models--org--name/.no_exist', COMMIT, 'chat_template.jinja'))).toBe(true)
  })

  it('tells how far each file is', async () => {
    const seen = new Map<string, { received: number; total: number; done: boolean }>()
    await pull(hub, root, { onProgress: ({ file, ...progress }) => void seen.set(file, progress) })
    expect([...seen.keys()].sort()).toEqual(PULLED)
    expect(seen.get(DATA)).toEqual({ received: WEIGHTS, total: WEIGHTS, done: true })
  })

  it('takes the dtype asked for, or lists those there are', async () => {
    expect(await pull(hub, root, { dtype: 'fp32' })).toMatchObject({ dtype: 'fp32' })
    const error = await pull(hub, root, { dtype: 'fp16' }).catch((e) => e)
    expect(error).toMatchObject({ code: 'not-found', hint: '--dtype q4 | fp32' })
  })

  it('may be a folder of onnxruntime-genai among those for other devices', async () => {
    const genai = JSON.stringify({ model: { decoder: { filename: 'phi.onnx' } } })
    const folder = (name: string) => ({
      [`${name}/genai_config.json`]: genai,
      [`${name}/tokenizer.json`]: '{}',
      [`${name}/phi.onnx`]: onnxBytes({ external: [{ location: 'phi.onnx.data' }] }),
      [`${name}/phi.onnx.data`]: Buffer.alloc(3000, 5),
      [`${name}/other.onnx`]: onnxBytes(),
    })
    const files = { ...folder('cpu_and_mobile/cpu-int4-rtn-block-32'), ...folder('cuda/cuda-int4') }
    hub.repos.set(REPO, { commit: COMMIT, files })
    const base = join(snapshot(), 'cpu_and_mobile/cpu-int4-rtn-block-32')
    expect(await pull(hub, root)).toMatchObject({
      dtype: 'q4',
      folder: base,
      onnxPath: join(base, 'phi.onnx'),
    })
    expect(listFiles(base)).toEqual(['genai_config.json', 'phi.onnx', 'phi.onnx.data', 'tokenizer.json'])
  })

  it('may have its weights in several parts', async () => {
    const external = ['model.onnx_data', 'model.onnx_data_1', './model.onnx_data_2'].map((location) => ({
      location,
    }))
    const parts = Object.fromEntries(
      external.map(({ location }, i) => [`onnx/${location.replace('./', '')}`, Buffer.alloc(2000 + i, i)]),
    )
    const files = { ...modelRepo().files, ...parts, 'onnx/model.onnx': onnxBytes({ external }) }
    hub.repos.set(REPO, { commit: COMMIT, files })
    await pull(hub, root, { dtype: 'fp32' })
    expect(listFiles(join(snapshot(), 'onnx'))).toEqual([
      'model.onnx',
      'model.onnx_data',
      'model.onnx_data_1',
      'model.onnx_data_2',
    ])
  })

  it('ends with the reason of the signal when aborted, and goes on from there the next time', async () => {
    hub.pace = { chunk: 10_000, ms: 20 }
    const abort = new AbortController()
    const reason = new Error('enough')
    const onProgress = ({ file, received }: { file: string; received: number }) => {
      if (file === DATA && received > 50_000) abort.abort(reason)
    }
    await expect(pull(hub, root, { signal: abort.signal, onProgress })).rejects.toBe(reason)
    hub.pace = undefined
    await expectPulled()
    expect(starts()[1]).toMatch(/^bytes=\d{5,}-$/)
  })
})

describe('offline', () => {
  it.each([
    ['--offline', { offline: true }, {}],
    ['HF_HUB_OFFLINE', {}, { HF_HUB_OFFLINE: '1' }],
    ['nothing: a complete cache asks nobody', {}, {}],
  ])('H1: a cached model is used without a request (%s)', async (_, options, env) => {
    await pull(hub, root)
    hub.requests.length = 0
    const { options: base } = pulling(hub, root, options)
    expect(await resolveModel({ ...base, env: { ...base.env, ...env } })).toMatchObject({ revision: COMMIT })
    expect(hub.requests).toEqual([])
  })

  it('H2: a model that is not cached is named, and the command that fetches it', async () => {
    await expectFailure(
      pull(hub, root, { offline: true }),
      'not-found',
      /^org\/name: not cached \(looked in .*\)$/,
    )
    const error = await pull(hub, root, { offline: true, dtype: 'q8' }).catch((e) => e)
    expect(error.hint).toContain('spout models pull org/name --dtype q8')
    expect(hub.requests).toEqual([])
  })

  it('H2: of a model partly cached the missing files are named', async () => {
    await pull(hub, root)
    rmSync(join(snapshot(), DATA))
    rmSync(join(snapshot(), 'tokenizer.json'))
    await expectFailure(
      pull(hub, root, { offline: true }),
      'not-found',
      /not cached: tokenizer.json, onnx\/model_q4.onnx_data$/,
    )
    await expectPulled()
  })

  it('a less preferred graph serves when the preferred one is not whole', async () => {
    await pull(hub, root)
    await pull(hub, root, { dtype: 'fp32' })
    rmSync(join(snapshot(), DATA))
    expect(await pull(hub, root, { offline: true })).toMatchObject({ dtype: 'fp32' })
  })

  it('H2: with a network the preferred graph is fetched whole, though another is cached', async () => {
    await pull(hub, root, { dtype: 'fp32' })
    await pull(hub, root, { dtype: 'q4' })
    rmSync(join(snapshot(), 'onnx/model_q4.onnx_data'))
    hub.requests.length = 0
    expect(await pull(hub, root)).toMatchObject({ dtype: 'q4' })
    expect(hub.requests.length).toBeGreaterThan(0)
  })
})

describe('a hub out of reach', () => {
  const nowhere = { HF_ENDPOINT: 'http://127.0.0.1:9' }

  it('H3: refused: 69, or the cache with one warning', async () => {
    const { options } = pulling(hub, root)
    const env = { ...options.env, ...nowhere }
    await expectFailure(
      resolveModel({ ...options, env }),
      'unavailable',
      /127\.0\.0\.1:9: connection refused/,
    )
    await pull(hub, root)
    const { notes, options: again } = pulling(hub, root, { refresh: true })
    expect(await resolveModel({ ...again, env })).toMatchObject({ revision: COMMIT })
    expect(notes).toEqual([expect.stringContaining('the cached model is used')])
  })

  it('H3: no such host: 69', async () => {
    const { options } = pulling(hub, root)
    const env = { ...options.env, HF_ENDPOINT: 'http://hub.invalid' }
    await expectFailure(
      resolveModel({ ...options, env }),
      'unavailable',
      /hub\.invalid: (no such host|the name cannot)/,
    )
  })

  it("H3: a network's login page is not a hub", async () => {
    faults('api:revision', { do: 'html' })
    await expectFailure(pull(hub, root), 'unavailable', /not a Hugging Face endpoint/)
    faults('head:config.json', { do: 'html' })
    await expectFailure(pull(hub, root), 'unavailable', /not a Hugging Face endpoint/)
  })

  it('H3: a page in the place of the bytes never becomes a blob', async () => {
    faults(DATA, { do: 'html' }, { do: 'html' })
    await expectPulled()
  })
})

describe('a hub that refuses', () => {
  const withToken = (env: Record<string, string>) => {
    const { options } = pulling(hub, root)
    return resolveModel({ ...options, env: { ...options.env, ...env } })
  }

  it('H4: gated: 77, where to ask, and whether a token was sent', async () => {
    hub.repos.set(REPO, { ...repo, gated: true })
    await expectFailure(pull(hub, root), 'permission', /must be granted/)
    const without = await pull(hub, root).catch((e) => e)
    expect(without.hint).toBe(`ask for it at ${hub.url}/org/name; no token was sent (set HF_TOKEN)`)
    const sent = await withToken({ HF_TOKEN: CANARY }).catch((e) => e)
    expect(sent).toMatchObject({
      code: 'permission',
      hint: expect.stringContaining('the token from HF_TOKEN was sent'),
    })
  })

  it('H4: a token that is not valid: 77, and where it came from', async () => {
    hub.token = 'hf_right'
    await expectFailure(withToken({ HUGGING_FACE_HUB_TOKEN: CANARY }), 'permission', /access denied \(401\)/)
    writeFileSync(join(root, 'token'), `${CANARY}\n`)
    const error = await withToken({ HF_HOME: root }).catch((e) => e)
    expect(error.hint).toBe('the token from the token file was sent')
    await expectPulled(withToken({ HF_TOKEN: 'hf_right' }))
    expect(hub.requests.some((r) => r.headers.authorization === 'Bearer hf_right')).toBe(true)
  })

  it('H5: repository, revision and file not found are three messages', async () => {
    await expectFailure(pull(hub, root, { model: 'org/none' }), 'not-found', /^org\/none: not found on/)
    await expectFailure(pull(hub, root, { model: `${REPO}@v9` }), 'not-found', /^org\/name: no revision "v9"/)
    faults('head:tokenizer.json', { do: 'status', status: 404, headers: { 'x-error-code': 'EntryNotFound' } })
    await expectFailure(pull(hub, root), 'not-found', /tokenizer.json is listed but not there/)
    faults(`hub:${DATA}`, { do: 'status', status: 404, headers: { 'x-error-code': 'EntryNotFound' } })
    await expectFailure(pull(hub, root), 'not-found', /^org\/name: no file onnx\/model_q4.onnx_data at/)
  })

  it('H5: a file the model can do without may be missing', async () => {
    faults('head:generation_config.json', {
      do: 'status',
      status: 404,
      headers: { 'x-error-code': 'EntryNotFound' },
    })
    await pull(hub, root)
    expect(existsSync(join(root, 'models--org--name/.no_exist', COMMIT, 'generation_config.json'))).toBe(true)
    expect(existsSync(join(snapshot(), 'generation_config.json'))).toBe(false)
  })

  it('H6: 429 is waited for as long as it says, in seconds or as a date', async () => {
    const soon = new Date(Date.now() + 1000).toUTCString()
    faults(DATA, { do: 'status', status: 429, headers: { 'retry-after': '1' } })
    faults('api:tree', { do: 'status', status: 429, headers: { 'retry-after': soon } })
    faults('api:revision', { do: 'status', status: 429, headers: { ratelimit: '"api";r=0;t=0' } })
    const before = Date.now()
    await expectPulled()
    expect(Date.now() - before).toBeGreaterThan(1000)
  })

  it('H6: 429 for longer than a minute in all: 75, with the time to come back, at once', async () => {
    faults('api:revision', { do: 'status', status: 429, headers: { 'retry-after': '1000000000' } })
    await expectFailure(pull(hub, root), 'try-later', /limits the rate/)
    // Nothing was waited for: it was asked once.
    expect(hub.requests).toHaveLength(1)
    faults('api:revision', { do: 'status', status: 429, headers: { 'retry-after': '3600' } })
    const error = await pull(hub, root).catch((e) => e)
    expect(error.hint).toMatch(/after \d{4}-\d\d-\d\dT/)
  })

  it.each([408, 500, 502, 503, 504])(
    'H7: %i passes when it is over within five tries, else 69',
    async (status) => {
      faults('api:revision', ...always({ do: 'status', status }).slice(0, 4))
      await expectPulled()
      faults('api:revision', ...always({ do: 'status', status }).slice(0, 5))
      await expectFailure(
        pull(hub, root, { refresh: true, model: `${REPO}@refs/pr/1` }),
        'unavailable',
        /answers/,
      )
      expect(hub.faults.get('api:revision')).toEqual([])
      faults('api:revision', ...always({ do: 'status', status }).slice(0, 5))
      const { notes, options } = pulling(hub, root, { refresh: true })
      expect(await resolveModel(options)).toMatchObject({ revision: COMMIT })
      expect(notes.at(-1)).toContain('the cached model is used')
    },
  )
})

describe('redirects', () => {
  it.each([
    ['a loop', () => `${hub.url}/${REPO}/resolve/${COMMIT}/config.json`, /without end/],
    ['a file', () => 'file:///etc/passwd', /not allowed/],
    ['the link-local network', () => 'http://169.254.169.254/latest/meta-data', /not allowed/],
    ['a name and password', () => 'http://user:pass@127.0.0.1/', /not allowed/],
  ])('H8: to %s: 76', async (_, to, message) => {
    faults('hub:config.json', ...always({ do: 'redirect', to: to() }))
    await expectFailure(pull(hub, root), 'protocol', message)
  })

  it('H8: more than ten: 76', async () => {
    let hops = 0
    hub.onRequest = ({ path }) => {
      if (path.includes('/resolve/')) faults('hub:config.json', { do: 'redirect', to: `?hop=${hops++}` })
    }
    await expectFailure(pull(hub, root), 'protocol', /without end/)
    expect(hops).toBeGreaterThan(10)
  })

  it.each(['localhost', '127.0.0.1'])(
    'H8: the token stays with the hub: a CDN at another port of %s never sees it',
    async (host) => {
      hub.cdnHost = host
      const { options } = pulling(hub, root)
      await resolveModel({ ...options, env: { ...options.env, HF_TOKEN: CANARY } })
      const [atHub, atCdn] = (['hub', 'cdn'] as const).map((o) => hub.requests.filter((r) => r.origin === o))
      expect(atHub!.every((r) => r.headers.authorization === `Bearer ${CANARY}`)).toBe(true)
      expect(atCdn!.length).toBeGreaterThan(0)
      expect(atCdn!.filter((r) => JSON.stringify(r.headers).includes('CANARY'))).toEqual([])
    },
  )

  it('H8: nor at a second hop within the CDN, nor when that leads back to the hub', async () => {
    hub.cdnHost = 'localhost'
    const cdn = `${hub.cdnUrl}/${REPO}/${DATA}`
    const back = `${hub.url}/${REPO}/resolve/${COMMIT}/${DATA}?back`
    faults(
      DATA,
      { do: 'redirect', to: `${cdn}?hop=1` },
      { do: 'redirect', to: `${cdn}?hop=2` },
      { do: 'redirect', to: back },
    )
    const { options } = pulling(hub, root)
    // The hub sends back to where it was before.
    const asked = resolveModel({ ...options, env: { ...options.env, HF_TOKEN: CANARY } })
    await expectFailure(asked, 'protocol', /without end/)
    const after = hub.requests.filter((r) => r.origin === 'cdn' || r.path.endsWith('?back'))
    const canary = (r: SeenRequest) => JSON.stringify(r.headers).includes('CANARY')
    expect(after.map(({ path }) => path)).toEqual(expect.arrayContaining([expect.stringContaining('?hop=2')]))
    expect(after.filter(({ path }) => path.endsWith('?back'))).toHaveLength(1)
    expect(after.filter(canary)).toEqual([])
  })
})

describe('bodies that do not come as they should', () => {
  const restless = { patience: { ...IMPATIENT, stallMs: 400 } }

  it('H9: after a silence the rest is asked for', async () => {
    faults(DATA, { do: 'stall', after: 100_000 })
    await expectPulled(pull(hub, root, restless))
    expect(starts()).toEqual(['all', 'bytes=100000-'])
  })

  it('H9: five silences without a byte: 69, and what came is kept', async () => {
    faults(DATA, { do: 'stall', after: 100_000 }, ...always({ do: 'stall', after: 0 }))
    await expectFailure(pull(hub, root, restless), 'unavailable', /no answer|no byte/)
    expect(starts()).toHaveLength(6)
    hub.faults.clear()
    hub.requests.length = 0
    await expectPulled()
    expect(starts()).toEqual(['bytes=100000-'])
  })

  it('H9: progress between two silences makes the patience new', async () => {
    faults(DATA, ...always({ do: 'stall', after: 30_000 }).slice(0, 6))
    await expectPulled(pull(hub, root, restless))
    expect(starts()).toHaveLength(7)
  })

  it.each(['reset', 'short', 'close-delimited', 'chunked-cut'] as const)(
    'H10: cut short (%s): the rest is asked for',
    async (how) => {
      faults(DATA, { do: how, after: 70_000 }, { do: how, after: 50_000 })
      await expectPulled()
      expect(starts()).toEqual(['all', 'bytes=70000-', 'bytes=120000-'])
    },
  )

  it('H11: a range ignored: from the start, never appended', async () => {
    faults(DATA, { do: 'reset', after: 70_000 }, { do: 'ignore-range' })
    await expectPulled()
    expect(starts()).toEqual(['all', 'bytes=70000-'])
  })

  it('H11: a wrong Content-Range: from the start', async () => {
    faults(DATA, { do: 'reset', after: 70_000 }, { do: 'wrong-range' })
    await expectPulled()
    expect(starts()).toEqual(['all', 'bytes=70000-', 'all'])
  })

  it('H11: 416: from the start', async () => {
    faults(DATA, { do: 'reset', after: 70_000 }, { do: 'status', status: 416 })
    await expectPulled()
    expect(starts()).toEqual(['all', 'bytes=70000-', 'all'])
  })

  it('H12: no packed body is accepted', async () => {
    expect(hub.requests.every((r) => r.headers['accept-encoding'] === 'identity')).toBe(true)
    for (const how of ['gzip', 'gzip-bomb'] as const) {
      faults(DATA, { do: how })
      await expectFailure(pull(hub, root), 'protocol', /compressed body/)
    }
    faults('api:revision', { do: 'gzip-bomb' })
    await expectFailure(pull(hub, root), 'protocol', /compressed body/)
  })

  it('H12: one byte more than promised: 76, nothing kept', async () => {
    faults(DATA, { do: 'endless' })
    await expectFailure(pull(hub, root), 'protocol', /more than the 200000 bytes promised/)
    expect(blobs().filter((name) => name.endsWith('.incomplete'))).toEqual([])
  })

  it('H14: wrong bytes once: fetched anew from the start', async () => {
    faults(DATA, { do: 'flip-bit' })
    await expectPulled()
    expect(starts()).toEqual(['all', 'all'])
  })

  it('H14: wrong bytes twice: 76 with both hashes, no partial file, everything good kept', async () => {
    await pull(hub, root, { dtype: 'fp32' })
    const before = blobs()
    faults(DATA, ...always({ do: 'flip-bit' }))
    const etag = etagOf({ content: weights() })
    await expectFailure(
      pull(hub, root, { dtype: 'q4' }),
      'protocol',
      new RegExp(`expected ${etag}, got [0-9a-f]{64}`),
    )
    expect(blobs()).toEqual(expect.arrayContaining(before))
    expect(blobs().filter((name) => name.endsWith('.incomplete'))).toEqual([])
    expect(blobs()).not.toContain(etag)
    expect(await pull(hub, root, { offline: true })).toMatchObject({ dtype: 'fp32' })
  })
})

describe('what the hub says of a file', () => {
  const withHead = (head: Record<string, string | null>, lfs = true) => {
    hub.repos.set(REPO, modelRepo({ files: { ...repo.files, [DATA]: { content: weights(), lfs, head } } }))
  }

  it('H13: the length of a redirect is not the length of the file', async () => {
    await expectPulled()
  })

  it.each([
    ['no length', { 'x-linked-size': null }],
    ['a weak ETag', { 'x-linked-etag': 'W/"ETAG"' }],
    ['a bare ETag', { 'x-linked-etag': 'ETAG' }],
  ])('H13: %s will do', async (_, head) => {
    const etag = etagOf({ content: weights() })
    withHead(JSON.parse(JSON.stringify(head).replace('ETAG', etag)))
    await expectPulled()
  })

  it.each([
    ['no ETag', { 'x-linked-etag': null }],
    ['an ETag that climbs', { 'x-linked-etag': '"../../../../x"' }],
    ['an ETag with a slash', { 'x-linked-etag': '"a/b"' }],
    ['an ETag of another length', { 'x-linked-etag': `"${'a'.repeat(32)}"` }],
    ['another ETag than listed', { 'x-linked-etag': `"${'a'.repeat(64)}"` }],
    ['another length than listed', { 'x-linked-size': '5' }],
    ['another commit', { 'x-repo-commit': LATER }],
  ])('H13: %s: 76, before any path is made', async (_, head) => {
    withHead(head)
    await expectFailure(pull(hub, root), 'protocol', /^hub: onnx\/model_q4.onnx_data: /)
    expect(blobs().every((name) => /^[0-9a-f]+$/.test(name))).toBe(true)
    expect(existsSync(join(root, 'x'))).toBe(false)
  })

  it('H15: a branch that moves on meanwhile: one commit, never mixed', async () => {
    const later = modelRepo({ commit: LATER, files: { 'config.json': '{"model_type":"other"}' } })
    hub.onRequest = ({ method, path }) => {
      if (method !== 'HEAD' || !path.endsWith('config.json')) return
      hub.onRequest = undefined
      hub.repos.set(REPO, { ...repo, branches: { main: LATER } })
    }
    await expectPulled()
    hub.repos.set(REPO, later)
    expect(await pull(hub, root)).toMatchObject({ revision: COMMIT })
    expect(await pull(hub, root, { refresh: true })).toMatchObject({ revision: LATER })
    expect(readFileSync(join(root, 'models--org--name/refs/main'), 'utf8')).toBe(LATER)
    expect(await pull(hub, root, { model: `${REPO}@${COMMIT}`, offline: true })).toMatchObject({
      revision: COMMIT,
    })
  })

  it('H16: the number of parts a config claims is not believed', async () => {
    const config = { 'transformers.js_config': { use_external_data_format: 1e9 } }
    repo = modelRepo({ files: { 'config.json': JSON.stringify(config) } })
    hub.repos.set(REPO, repo)
    await expectPulled()
  })

  it('H16: a graph with more than a hundred files of weights: 78', async () => {
    const external = Array.from({ length: 101 }, (_, i) => ({ location: `w${i}` }))
    hub.repos.set(
      REPO,
      modelRepo({ files: { ...repo.files, 'onnx/model_q4.onnx': onnxBytes({ external }) } }),
    )
    await expectFailure(pull(hub, root), 'config', /101 files of weights/)
  })

  it('H16: a list of a hundred thousand files: 78', async () => {
    const listed = Array.from({ length: 100_000 }, (_, i) => ({
      type: 'file',
      path: `f${i}`,
      size: 1,
      oid: 'x',
    }))
    hub.repos.set(REPO, { ...repo, listed })
    await expectFailure(pull(hub, root), 'config', /more than 50000 files/)
  })

  it('H16: a petabyte: 73 before a byte is asked for', async () => {
    const size = 2 ** 50
    const listed = [
      { type: 'file', path: DATA, size, oid: 'a'.repeat(40), lfs: { oid: 'b'.repeat(64), size } },
    ]
    hub.repos.set(REPO, { ...repo, listed })
    await expectFailure(
      pull(hub, root),
      'cache',
      /the disk is full: \d+ bytes are needed, \d+ bytes are free/,
    )
    expect(starts()).toEqual([])
  })

  it.each([
    '../../evil',
    '/etc/evil',
    'C:\\evil',
    'a/../../evil',
    'a\\..\\evil',
    '\\\\host\\share\\evil',
    'D:evil',
    'nul\u0000evil',
  ])('A8: %j in the list of files: 78, nothing written outside', async (path) => {
    hub.repos.set(REPO, { ...repo, listed: [{ type: 'file', path, size: 1, oid: 'a'.repeat(40) }] })
    await expectFailure(pull(hub, root), 'config', /^unsafe file name in org\/name/)
    expect(existsSync(join(root, 'models--org--name'))).toBe(false)
  })

  it('A8: weights outside the model: 78, not asked for', async () => {
    const external = [{ location: '../../../../evil' }]
    hub.repos.set(
      REPO,
      modelRepo({ files: { ...repo.files, 'onnx/model_q4.onnx': onnxBytes({ external }) } }),
    )
    await expectFailure(pull(hub, root), 'config', /^model_q4.onnx: its weights are said to lie in/)
    expect(hub.requests.filter((r) => r.path.includes('evil'))).toEqual([])
  })
})
