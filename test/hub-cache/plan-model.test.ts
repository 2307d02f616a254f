import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { planModel } from '../../src/hub-cache/plan-model.ts'
import { resolveModel } from '../../src/hub-cache/resolve-model.ts'
import { loadModelConfig } from '../../src/model/model-config.ts'
import { listFiles } from '../../src/system/list-files.ts'
import { FakeHub } from '../support/fake-hub.ts'
import { COMMIT, modelRepo, pull, pulling, REPO, temporaryFolder, WEIGHTS } from '../support/model-repo.ts'
import { onnxBytes } from '../support/tiny-onnx.ts'

let hub: FakeHub
let root: string
beforeEach(async () => {
  hub = await FakeHub.start()
  hub.repos.set(REPO, modelRepo())
  root = temporaryFolder()
})
afterEach(async () => {
  await hub.stop()
  rmSync(root, { recursive: true, force: true })
})

const folder = (...names: string[]) => join(root, 'models--org--name', ...names)
const plan = (more = {}) => planModel(pulling(hub, root, more).options)

describe('a model that is planned', () => {
  it.each(['q4', 'fp32'] as const)(
    'is told with the sizes of its weights, and not one of them is fetched (%s)',
    async (dtype) => {
      const planned = await plan({ dtype })
      const graph = dtype === 'q4' ? 'onnx/model_q4.onnx' : 'onnx/model.onnx'
      expect(planned).toMatchObject({
        id: REPO,
        revision: COMMIT,
        dtype,
        onnxPath: folder('snapshots', COMMIT, graph),
      })
      const bytes = planned.files.reduce((sum, file) => sum + file.bytes, 0)
      expect(bytes).toBeGreaterThan(dtype === 'q4' ? WEIGHTS : 50_000)
      expect(planned.bytesToFetch).toBe(bytes)
      expect(hub.requests.filter(({ path }) => /\.onnx|\.bin/.test(path))).toEqual([])
      expect(loadModelConfig(planned.folder).contextLength).toBe(512)
      expect(existsSync(folder('refs/main'))).toBe(false)
      await expect(pull(hub, root, { offline: true, dtype })).rejects.toMatchObject({ code: 'not-found' })
      await pull(hub, root, { dtype })
      expect(await plan({ dtype })).toMatchObject({ bytesToFetch: 0, files: planned.files })
    },
  )

  it('asks nobody when it is cached, or offline', async () => {
    await expect(plan({ offline: true })).rejects.toMatchObject({ code: 'not-found' })
    await pull(hub, root)
    hub.requests.length = 0
    expect((await plan()).bytesToFetch).toBe(0)
    expect(hub.requests).toEqual([])
  })
})

describe('a cached model that lost something', () => {
  const pointer = (name: string) => folder('snapshots', COMMIT, name)

  it('is damaged where a link has no blob: 78 offline, healed with a network', async () => {
    await pull(hub, root)
    unlinkSync(realpathSync(pointer('tokenizer_config.json')))
    await expect(pull(hub, root, { offline: true })).rejects.toMatchObject({
      code: 'config',
      message: 'tokenizer_config.json: its blob is gone',
      hint: 'spout models pull --repair org/name',
    })
    await pull(hub, root)
    expect(readFileSync(pointer('tokenizer_config.json'), 'utf8')).toBe('{}')
  })

  it('says so where it may lack its chat template, unless the hub is known to have none', async () => {
    await pull(hub, root)
    unlinkSync(pointer('tokenizer_config.json'))
    const { notes, options } = pulling(hub, root, { offline: true })
    await resolveModel(options)
    expect(notes).toEqual([expect.stringContaining('tokenizer_config.json is not in the cache')])
    mkdirSync(folder('.no_exist', COMMIT), { recursive: true })
    writeFileSync(folder('.no_exist', COMMIT, 'tokenizer_config.json'), '')
    notes.length = 0
    await resolveModel(options)
    expect(notes).toEqual([])
  })

  it('names the variable that keeps it from being fetched', async () => {
    const { options } = pulling(hub, root)
    for (const name of ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE']) {
      const asked = resolveModel({ ...options, env: { ...options.env, [name]: '1' } })
      await expect(asked).rejects.toMatchObject({ hint: `without ${name}: spout models pull org/name` })
    }
  })

  it('is not told to repair what was published so', async () => {
    const files = { ...modelRepo().files, 'tokenizer.json': 'version https://git-lfs.github.com/spec/v1\n' }
    hub.repos.set(REPO, { commit: COMMIT, files })
    await expect(pull(hub, root)).rejects.toMatchObject({
      code: 'config',
      hint: expect.stringContaining('the model was published so'),
    })
  })

  it('may have its blobs on another disk, and a folder its graphs behind a link', async () => {
    await pull(hub, root)
    const elsewhere = temporaryFolder()
    renameSync(folder('blobs'), join(elsewhere, 'blobs'))
    symlinkSync(join(elsewhere, 'blobs'), folder('blobs'))
    expect(await pull(hub, root, { offline: true })).toMatchObject({ dtype: 'q4' })
    const model = temporaryFolder()
    mkdirSync(join(elsewhere, 'graphs'))
    writeFileSync(join(elsewhere, 'graphs/model.onnx'), onnxBytes({ inside: 10 }))
    symlinkSync(join(elsewhere, 'graphs'), join(model, 'onnx'))
    symlinkSync('.', join(model, 'loop'))
    expect(await resolveModel({ model })).toMatchObject({ onnxPath: join(model, 'onnx/model.onnx') })
    expect(listFiles(model, { enterLinks: true })).toEqual(['onnx/model.onnx'])
  })
})
