import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadSession } from '../../src/backend/onnx/load-session.ts'
import { OnnxBackend } from '../../src/backend/onnx/onnx-backend.ts'
import type { GpuSession } from '../../src/onnx-runtime/gpu-session.ts'
import { openRuntime } from '../../src/onnx-runtime/open-runtime.ts'
import { graphFile } from '../support/graph-file.ts'
import { feed } from '../support/greedy.ts'
import { emptyConfig, noTokenizer } from '../support/open-onnx.ts'
import { recordedDecoder } from '../support/recorded-decoder.ts'
import { hasSoftwareGpu, NEEDS_GPU, useSoftwareGpu } from '../support/software-gpu.ts'
import { TOY_VOCAB, type ToyLayer, toyDecoder } from '../support/toy-decoder.ts'

const config = { ...emptyConfig, headDim: 16, contextLength: 600 }

async function open(path: string, onGpu: boolean) {
  const options = { threads: 1, spinning: false, precise: true, onGpu }
  const loaded = await loadSession(await openRuntime('c-api'), path, config, options)
  return { backend: new OnnxBackend(loaded, noTokenizer, config), loaded }
}

const someIds = (count: number, factor: number): Int32Array =>
  Int32Array.from({ length: count }, (_, i) => (i * factor + 2) % (TOY_VOCAB - 1))

function expectClose(row: Float32Array, expected: Float32Array): void {
  expect(Math.max(...row.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(1e-4)
}

describe.skipIf(!hasSoftwareGpu)(`a decoder whose steps are recorded ${NEEDS_GPU}`, () => {
  useSoftwareGpu()
  let gpu: Awaited<ReturnType<typeof open>>
  let cpu: Awaited<ReturnType<typeof open>>
  beforeAll(async () => {
    const path = graphFile(recordedDecoder())
    cpu = await open(path, false)
    gpu = await open(path, true)
  })
  afterAll(async () => {
    await gpu?.backend.dispose()
    await cpu?.backend.dispose()
  })
  const traffic = () => ({ ...(gpu.loaded.session as GpuSession).traffic })

  /** What the processor gives for a text. */
  const expected = async (ids: Int32Array): Promise<Float32Array> => {
    const cache = cpu.backend.createCache()
    const row = (await feed(cpu.backend, cache, ids)).row.slice()
    cache.dispose()
    return row
  }

  test('is recorded, and gives what the processor gives, however the text is cut', async () => {
    expect(gpu.loaded.runs.device).toBe('gpu-recorded')
    const ids = someIds(23, 5)
    for (const size of [23, 1]) {
      const cache = gpu.backend.createCache()
      expectClose((await feed(gpu.backend, cache, ids, size)).row, await expected(ids))
      cache.dispose()
    }
  })

  test('copies ids and lengths there and one row of logits back, whatever the length of the text', async () => {
    const cache = gpu.backend.createCache()
    await feed(gpu.backend, cache, someIds(40, 3))
    await feed(gpu.backend, cache, someIds(1, 1))
    const before = traffic()
    await feed(gpu.backend, cache, someIds(4, 9), 1)
    const after = traffic()
    expect(after.to - before.to).toBe(4 * (8 + 4 + 4))
    expect(after.from - before.from).toBe(4 * 4 * TOY_VOCAB)
    cache.dispose()
  })

  test('what is read and written by hand is counted as well', () => {
    const session = gpu.loaded.session as GpuSession
    const tensor = session.allocate('float32', [2, 3])
    const before = traffic()
    for (let i = 0; i < 2; i++) {
      session.write(tensor, Float32Array.of(1, 2, 3, 4, 5, 6))
      expect([...(session.read(tensor) as Float32Array)]).toEqual([1, 2, 3, 4, 5, 6])
    }
    const after = traffic()
    expect([after.to - before.to, after.from - before.from]).toEqual([48, 48])
    tensor.dispose()
  })

  test('two texts by turns, a cut, and a cache that grows give what they give alone', async () => {
    const [ids, others] = [someIds(12, 7), someIds(12, 11)]
    const [a, b] = [gpu.backend.createCache(), gpu.backend.createCache(300)]
    await feed(gpu.backend, a, others)
    a.trim(0)
    for (let i = 0; i < ids.length; i++) {
      const row = (await gpu.backend.forward(ids.subarray(i, i + 1), a)).row.slice()
      expectClose(row, await expected(ids.subarray(0, i + 1)))
      const other = (await gpu.backend.forward(others.subarray(i, i + 1), b)).row
      expectClose(other, await expected(others.subarray(0, i + 1)))
    }
    b.dispose()
    const long = someIds(290, 13)
    a.trim(0)
    await feed(gpu.backend, a, long.subarray(0, 250), 100)
    expectClose((await feed(gpu.backend, a, long.subarray(250), 1)).row, await expected(long))
    a.dispose()
  })

  test('a hundred texts, one after another and three at once, take no more memory than a few', async () => {
    const ids = someIds(3, 5)
    const once = async (): Promise<void> => {
      const caches = [1, 2, 3].map(() => gpu.backend.createCache())
      for (const cache of caches) await feed(gpu.backend, cache, ids, 1)
      for (const cache of caches) cache.dispose()
    }
    await once()
    const { recordings, tensors } = (gpu.loaded.session as GpuSession).counts
    for (let i = 0; i < 30; i++) await once()
    expect((gpu.loaded.session as GpuSession).counts).toEqual({ recordings, tensors })
  })
})

describe.skipIf(!hasSoftwareGpu)(`states of every kind on the graphics card ${NEEDS_GPU}`, () => {
  useSoftwareGpu()
  const kinds: ToyLayer[][] = [['concat', 'gqa', 'conv'], ['recurrent']]
  test.each(kinds.map((layers) => [layers.join(), layers] as const))('%s', async (_, layers) => {
    const path = graphFile(toyDecoder({ layers }))
    const ids = someIds(9, 5)
    const rows: Float32Array[] = []
    for (const onGpu of [false, true]) {
      const { backend, loaded } = await open(path, onGpu)
      expect(loaded.runs.device).toBe(onGpu ? 'gpu' : 'cpu')
      const cache = backend.createCache()
      await feed(backend, cache, ids)
      cache.mark()
      await feed(backend, cache, ids.subarray(0, 3), 1)
      cache.trim(ids.length)
      rows.push((await feed(backend, cache, ids.subarray(2, 6), 1)).row.slice())
      cache.dispose()
      await backend.dispose()
    }
    expectClose(rows[1]!, rows[0]!)
  })
})
