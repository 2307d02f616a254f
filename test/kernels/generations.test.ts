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
import { NUMERICS_VERSION } from '../../src/kernels/numerics/version.ts'
import { loadModelConfig } from '../../src/model/model-config.ts'
import { ALL_WAYS, runtimeOf, type Way } from '../support/kernel-ways.ts'
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

async function generation(way: Way, folder: string): Promise<Generation> {
  const config = loadModelConfig(folder)
  const path = join(folder, 'onnx/model_q4.onnx')
  const options = { threads: way.isa === 'avx2' ? 1 : 2, spinning: false, isa: way.isa }
  const loaded = await loadSession(runtimeOf(way), path, config, options)
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

const { numerics, ...golden } = JSON.parse(readFileSync('fixtures/golden/logits.json', 'utf8')) as Record<
  string,
  Generation
> & { readonly numerics: number }
const models = { 'spout-tiny': TINY_MODEL.folder, 'tiny-chat': CHAT_MODEL.folder }

const native = ALL_WAYS.filter(({ isNative }) => isNative)
const ways = native.length > 0 ? native : ALL_WAYS.filter(({ isa }) => isa === 'avx2')

describe.each(ways)('$name', (way) => {
  test.each(Object.entries(models))('%s', async (name, folder) => {
    expect(await generation(way, folder)).toEqual(golden[name])
  })
})

test('the logits are those of this version of the numerics', () => {
  expect(NUMERICS_VERSION).toBe(numerics)
})
