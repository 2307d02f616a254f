/**
 * Whole generations are the same to the last bit with every instruction set, and on every processor: the hashes of all logits are in
 * `fixtures/golden/logits.json`, so that a run on another kind of processor compares with this one. Where the
 * definition of the numerics is changed, what the tests find is written there.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadSession } from '../../src/backend/onnx/load-session.ts'
import { OnnxBackend } from '../../src/backend/onnx/onnx-backend.ts'
import { openCApiRuntime } from '../../src/backend/onnx/runtime/c-session.ts'
import { type Isa, kernelChoice } from '../../src/kernels/isa.ts'
import { loadModelConfig } from '../../src/model/model-config.ts'
import { CHAT_MODEL, TINY_MODEL } from '../support/models.ts'
import { noTokenizer } from '../support/open-onnx.ts'

/** Past a segment of keys, and past a tile of rows. */
const PROMPT = 150
const STEPS = 24

interface Generation {
  readonly ids: number[]
  /** Of every row of logits. */
  readonly sha256: string
}

async function generation(folder: string, isa: Isa, threads: number): Promise<Generation> {
  const config = loadModelConfig(folder)
  const path = join(folder, 'onnx/model_q4.onnx')
  const loaded = await loadSession(openCApiRuntime(), path, config, { threads, spinning: false, isa })
  const backend = new OnnxBackend(loaded, noTokenizer, config)
  const cache = backend.createCache()
  const hash = createHash('sha256')
  const ids: number[] = []
  let next = Int32Array.from({ length: PROMPT }, (_, i) => 3 + ((i * i * 7 + i) % 250))
  for (let step = 0; step < STEPS; step++) {
    const { row } = await backend.forward(next, cache)
    hash.update(new Uint8Array(row.buffer, row.byteOffset, row.byteLength))
    next = Int32Array.of(row.indexOf(row.reduce((a, b) => Math.max(a, b))))
    ids.push(next[0]!)
  }
  cache.dispose()
  await backend.dispose()
  return { ids, sha256: hash.digest('hex') }
}

const golden = JSON.parse(readFileSync('fixtures/golden/logits.json', 'utf8')) as Record<string, Generation>
const models = { 'spout-tiny': TINY_MODEL.folder, 'tiny-chat': CHAT_MODEL.folder }

describe.each(kernelChoice({}).available)('%s', (isa) => {
  test.each(Object.entries(models))('%s', async (name, folder) => {
    const found = await generation(folder, isa, isa === 'avx2' ? 1 : 2)
    expect(found).toEqual(golden[name])
  })
})
