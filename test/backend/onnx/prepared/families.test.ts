/** Every graph there is, prepared: the same logits to the last bit. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadSession, openPrepared } from '../../../../src/backend/onnx/load-session.ts'
import { OnnxBackend } from '../../../../src/backend/onnx/onnx-backend.ts'
import { equalRows, probe } from '../../../../src/backend/onnx/prepared/probe.ts'
import { writePrepared } from '../../../../src/backend/onnx/prepared/write-prepared.ts'
import { loadModelConfig } from '../../../../src/model/model-config.ts'
import type { ModelConfig } from '../../../../src/model/resolved-model.ts'
import { readGraphFile } from '../../../../src/onnx-file/graph-file.ts'
import { openCApiRuntime } from '../../../../src/onnx-runtime/c-session.ts'
import { fileState } from '../../../../src/system/file-state.ts'
import { familyModels } from '../../../support/family-models.ts'
import { goldenFiles, hasGoldenModels, NEEDS_DATA } from '../../../support/golden-models.ts'
import { CHAT_MODEL, TINY_MODEL } from '../../../support/models.ts'
import { noTokenizer } from '../../../support/open-onnx.ts'

interface Case {
  readonly name: string
  readonly path: () => string
  readonly config: ModelConfig
}

const cases: Case[] = [
  ...['model', 'model_q4'].flatMap((graph) =>
    [TINY_MODEL, CHAT_MODEL].map(({ folder }) => ({
      name: `${folder.split('/').at(-1)} ${graph}`,
      path: () => join(folder, 'onnx', `${graph}.onnx`),
      config: loadModelConfig(folder),
    })),
  ),
  ...familyModels().map(({ family, unpack, config }) => ({ name: family, path: unpack, config })),
  ...goldenFiles().map(({ family, file, path, folder }) => ({
    name: `${family} ${file}`,
    path: () => path,
    config: loadModelConfig(folder),
  })),
]

const cacheFolder = mkdtempSync(join(tmpdir(), 'spout-prepared-'))
afterAll(() => rmSync(cacheFolder, { recursive: true, force: true }))
const session = { threads: 1, spinning: false }

if (!hasGoldenModels) test.skip(`golden files ${NEEDS_DATA}`)

test.each(cases)('$name', async ({ path, config }) => {
  const runtime = openCApiRuntime()
  const key = { onnxPath: path(), precise: true, runtimeVersion: await runtime.version() }
  const original = await loadSession(runtime, key.onnxPath, config, { ...session, precise: true })
  if (original.embedder !== undefined) return original.dispose()
  const changed = { graph: readGraphFile(key.onnxPath), changes: [] }
  const written = await writePrepared({
    runtime,
    cacheFolder,
    key,
    config,
    sources: [fileState(key.onnxPath)],
    session,
    changed,
  })
  const opening = openPrepared(runtime, written.prepared, session)
  const prepared = await opening.catch((error: Error) => error)
  if (prepared instanceof Error) {
    // The optimizer names the constants of the branches of an If alike, and then does not accept that.
    expect(readGraphFile(key.onnxPath).opTypes).toContain('If')
    expect(prepared.message).toContain('initializer name is not unique')
    await original.dispose()
    return written.discard()
  }
  expect(prepared.plan).toEqual(original.plan)
  const before = await probe(new OnnxBackend(original, noTokenizer, config))
  await original.dispose()
  const after = await probe(new OnnxBackend(prepared, noTokenizer, config))
  await prepared.dispose()
  written.discard()
  expect(before.length).toBeGreaterThan(3)
  expect(equalRows(before, after)).toBe(true)
})
