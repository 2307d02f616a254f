import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listFiles } from '../../src/model/list-files.ts'
import { FakeHub } from '../support/fake-hub.ts'
import { COMMIT, modelRepo, PULLED, pull, REPO, temporaryFolder } from '../support/model-repo.ts'

let hub: FakeHub
let root: string
beforeEach(async () => {
  hub = await FakeHub.start()
  hub.repos.set(REPO, modelRepo())
  root = temporaryFolder()
})
afterEach(() => hub.stop())

describe('a model that is not cached', () => {
  it('is downloaded, just the files needed', async () => {
    const model = await pull(hub, root)
    const folder = join(root, 'models--org--name', 'snapshots', COMMIT)
    expect(model).toEqual({
      id: REPO,
      revision: COMMIT,
      folder,
      onnxPath: join(folder, 'onnx/model_q4.onnx'),
      dtype: 'q4',
    })
    expect(listFiles(folder)).toEqual(PULLED)
    expect(readFileSync(join(root, 'models--org--name/refs/main'), 'utf8')).toBe(COMMIT)
    expect(readlinkSync(join(folder, 'onnx/model_q4.onnx'))).toMatch(
      /^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/,
    )
    expect(
      readdirSync(join(root, 'models--org--name/blobs')).every((name) => /^[0-9a-f]{40,64}$/.test(name)),
    ).toBe(true)
  })
})
