import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { resolveModel } from '../../src/hub-cache/resolve-model.ts'
import { temporaryFolder } from '../support/model-repo.ts'
import { onnxBytes } from '../support/tiny-onnx.ts'

const COMMIT = '0123456789abcdef0123456789abcdef01234567'

function write(folder: string, files: readonly string[]): string {
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), file.endsWith('.onnx') ? onnxBytes() : '{}')
  }
  return folder
}

describe('a folder', () => {
  it('is taken as it is, the best dtype first', async () => {
    const folder = write(temporaryFolder(), [
      'config.json',
      'tokenizer.json',
      'onnx/model.onnx',
      'onnx/model_q4.onnx',
    ])
    expect(await resolveModel({ model: folder })).toEqual({
      id: folder,
      revision: undefined,
      folder,
      onnxPath: join(folder, 'onnx/model_q4.onnx'),
      dtype: 'q4',
    })
  })

  it('goes by the name it is given', async () => {
    const folder = write(temporaryFolder(), ['model.onnx'])
    expect(await resolveModel({ model: folder, name: 'spout-tiny' })).toMatchObject({
      id: 'spout-tiny',
      dtype: 'fp32',
    })
  })

  it('lists the dtypes present where the one asked for is absent', async () => {
    const folder = write(temporaryFolder(), ['onnx/model_fp16.onnx', 'onnx/model_quantized.onnx'])
    await expect(resolveModel({ model: folder, dtype: 'q4' })).rejects.toMatchObject({
      code: 'not-found',
      hint: '--dtype q8 | fp16',
    })
  })

  it('of onnxruntime-genai: its config names the decoder', async () => {
    const folder = write(temporaryFolder(), ['a.onnx', 'phi3-int4.onnx'])
    writeFileSync(
      join(folder, 'genai_config.json'),
      JSON.stringify({ model: { decoder: { filename: 'phi3-int4.onnx' } } }),
    )
    expect(await resolveModel({ model: folder })).toMatchObject({
      onnxPath: join(folder, 'phi3-int4.onnx'),
      dtype: 'q4',
    })
  })
})

describe('a cached model', () => {
  let root: string
  beforeEach(() => {
    root = temporaryFolder()
    const repo = join(root, 'models--org--name')
    write(repo, ['blobs/a'])
    mkdirSync(join(repo, 'refs'))
    writeFileSync(join(repo, 'refs/main'), `${COMMIT}\n`)
    mkdirSync(join(repo, 'snapshots', COMMIT, 'onnx'), { recursive: true })
    for (const file of ['config.json', 'tokenizer.json']) {
      symlinkSync('../../blobs/a', join(repo, 'snapshots', COMMIT, file))
    }
    writeFileSync(join(repo, 'blobs/b'), onnxBytes())
    symlinkSync('../../../blobs/b', join(repo, 'snapshots', COMMIT, 'onnx/model_q4.onnx'))
  })

  it('is found by its branch and by its commit', async () => {
    for (const model of ['org/name', 'org/name@main', `org/name@${COMMIT}`]) {
      expect(await resolveModel({ model, offline: true, env: { HF_HUB_CACHE: root } })).toEqual({
        id: 'org/name',
        revision: COMMIT,
        folder: join(root, 'models--org--name/snapshots', COMMIT),
        onnxPath: join(root, 'models--org--name/snapshots', COMMIT, 'onnx/model_q4.onnx'),
        dtype: 'q4',
      })
    }
  })
})
