import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { encodeGraph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { openCApiRuntime } from '../../src/onnx-runtime/c-session.ts'
import type { Session } from '../../src/onnx-runtime/runtime.ts'
import { TINY_MODEL } from '../support/models.ts'
import { processorTime } from '../support/processor-time.ts'
import { additionModel } from '../support/tiny-graphs.ts'

const OPTIONS = { threads: 1, spinning: false }

async function openAddition(): Promise<Session> {
  return openCApiRuntime().createSession({ bytes: additionModel(), weightsFolder: '.' }, OPTIONS)
}

/** Resident bytes now, not at the peak. */
function residentBytes(): number {
  return Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4096
}

const linux = process.platform === 'linux'

test('a status becomes an error with the library’s own words', async () => {
  const bytes = new Uint8Array([1, 2, 3])
  const created = openCApiRuntime().createSession({ bytes, weightsFolder: '.' }, OPTIONS)
  await expect(created).rejects.toMatchObject({
    code: 'failed',
    message: expect.stringContaining('onnxruntime: '),
  })
})

test('inputs and outputs are told as the graph declares them', async () => {
  const session = await openAddition()
  expect(session.inputs).toEqual([
    { name: 'x', type: 'float32', dims: ['rows', 3] },
    { name: 'y', type: 'float32', dims: ['rows', 3] },
  ])
  expect(session.outputs).toEqual([{ name: 'sum', type: 'float32', dims: ['rows', 3] }])
  await session.dispose()
})

test('bound memory is read and written in place', async () => {
  const session = await openAddition()
  const x = new Float32Array(new ArrayBuffer(12))
  const y = new Float32Array(new ArrayBuffer(12))
  const sum = new Float32Array(new ArrayBuffer(12))
  session.bindInput('x', session.wrap('float32', [1, 3], x))
  session.bindData('y', 'float32', y, [1, 3])
  session.bindOutput('sum', session.wrap('float32', [1, 3], sum))
  for (let step = 0; step < 5; step++) {
    x.set([step, 2, 3])
    y.set([10, 20, 30 * step])
    await session.run()
    expect([...sum]).toEqual([step + 10, 22, 3 + 30 * step])
  }
  await session.dispose()
})

test('an output without memory is allocated, and belongs to whoever takes it', async () => {
  const session = await openAddition()
  session.bindData('x', 'float32', new Float32Array([1, 2, 3, 4, 5, 6]), [2, 3])
  session.bindData('y', 'float32', new Float32Array(6).fill(1), [2, 3])
  session.bindOutput('sum')
  await session.run()
  const first = session.takeOutput('sum')
  expect(first.dims).toEqual([2, 3])
  expect([...(first.data as Float32Array)]).toEqual([2, 3, 4, 5, 6, 7])
  expect(() => session.takeOutput('sum')).toThrow(/not bound or is taken/)
  first.dispose()
  await session.dispose()
})

test('a failing run is an error, and the session runs again', async () => {
  const session = await openAddition()
  session.bindData('x', 'float32', new Float32Array(6), [2, 3])
  session.bindData('y', 'float32', new Float32Array(9), [3, 3])
  session.bindOutput('sum')
  await expect(session.run()).rejects.toMatchObject({ code: 'failed' })
  session.bindData('y', 'float32', new Float32Array(6), [2, 3])
  session.bindOutput('sum')
  await session.run()
  session.takeOutput('sum').dispose()
  await session.dispose()
})

test('disposing twice releases once', async () => {
  const session = await openAddition()
  const tensor = session.allocate('float32', [4])
  tensor.dispose()
  tensor.dispose()
  await session.dispose()
  await session.dispose()
})

test('an abort ends a long run within a moment and leaves the session usable', async () => {
  const graph = readGraphFile(TINY_MODEL.fp32)
  const source = { bytes: encodeGraph(graph), weightsFolder: graph.weightsFolder }
  const session = await openCApiRuntime().createSession(source, OPTIONS)
  const count = 1024
  bindPrompt(session, count)
  const spent = processorTime()
  await session.run()
  const whole = spent()

  // How long a run takes on a busy machine is anybody's guess: a run that ends before its abort is run again, with less time.
  let failure: unknown
  let again = processorTime()
  for (let wait = 16; failure === undefined && wait >= 1; wait /= 2) {
    bindPrompt(session, count)
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(new Error('enough')), wait)
    again = processorTime()
    failure = await session.run(controller.signal).then(
      () => undefined,
      (error: unknown) => error,
    )
    clearTimeout(timer)
  }
  expect(failure).toEqual(new Error('enough'))
  expect(again()).toBeLessThan(whole * 0.8)

  bindPrompt(session, 4)
  await session.run()
  expect(session.takeOutput('logits').dims).toEqual([1, 4, TINY_MODEL.vocabSize])
  await session.dispose()
})

/** A whole prompt without a past, for the fp32 graph. */
function bindPrompt(session: Session, count: number): void {
  const ids = new BigInt64Array(count).fill(5n)
  session.bindData('input_ids', 'int64', ids, [1, count])
  session.bindData('attention_mask', 'int64', new BigInt64Array(count).fill(1n), [1, count])
  session.bindData(
    'position_ids',
    'int64',
    BigInt64Array.from(ids, (_, i) => BigInt(i)),
    [1, count],
  )
  for (const { name, dims } of session.inputs) {
    if (!name.startsWith('past')) continue
    session.bindData(name, 'float32', new Float32Array(new ArrayBuffer(4)), [
      1,
      dims[1] as number,
      0,
      dims[3] as number,
    ])
  }
  for (const { name } of session.outputs) session.bindOutput(name)
}

test.skipIf(!linux)('10,000 runs leave nothing behind: resident memory is flat (needs Linux)', async () => {
  const session = await openAddition()
  const x = new Float32Array(new ArrayBuffer(12 * 256))
  const runs = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const rows = 1 + (i % 256)
      session.bindData('x', 'float32', x, [rows, 3])
      const y = session.wrap('float32', [rows, 3], x)
      session.bindInput('y', y)
      y.dispose()
      session.bindOutput('sum')
      await session.run()
      const sum = session.takeOutput('sum')
      expect(sum.dims[0]).toBe(rows)
      sum.dispose()
    }
  }
  await runs(2000)
  globalThis.gc?.()
  const before = residentBytes()
  await runs(10_000)
  globalThis.gc?.()
  // One leaked output per run, 1.5 kB on average, would be 15 MB.
  expect(residentBytes() - before).toBeLessThan(8 * 2 ** 20)
  await session.dispose()
})

test.skipIf(!linux)(
  'errors, sessions and tensors are released: 300 of each leave memory and descriptors as they were (needs Linux)',
  async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length
    const round = async (): Promise<void> => {
      const session = await openAddition()
      for (let i = 0; i < 4; i++) session.allocate('float32', [1, 64, 1024]).dispose()
      const bad = { bytes: new Uint8Array([1]), weightsFolder: '.' }
      await expect(openCApiRuntime().createSession(bad, OPTIONS)).rejects.toThrow('onnxruntime')
      await session.dispose()
    }
    for (let i = 0; i < 50; i++) await round()
    const before = { memory: residentBytes(), descriptors: descriptors() }
    for (let i = 0; i < 300; i++) await round()
    expect(residentBytes() - before.memory).toBeLessThan(24 * 2 ** 20)
    expect(descriptors()).toBeLessThanOrEqual(before.descriptors + 2)
  },
)
