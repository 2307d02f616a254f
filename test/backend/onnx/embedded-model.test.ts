/** The real loop over real weights, against what Python's libraries made of the same files. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Backend } from '../../../src/backend/backend.ts'
import { type GenerateOptions, generate } from '../../../src/generation/generate.ts'
import { kernelChoice } from '../../../src/kernels/isa.ts'
import { openBackend } from '../../../src/open/open-engine.ts'
import { createSampler } from '../../../src/sampling/sampler.ts'
import { collectingSink } from '../../support/collecting-sink.ts'
import { certainIds, type GoldenPrompt, readGolden } from '../../support/goldens.ts'
import { CHAT_MODEL, TINY_MODEL } from '../../support/models.ts'

const golden = readGolden('spout-tiny.json')
const runtimes = ['c-api', 'node'] as const
const dtypes = ['fp32', 'q4'] as const

async function greedy(
  backend: Backend,
  prompt: Pick<GoldenPrompt, 'ids'>,
  options: Partial<GenerateOptions> = {},
) {
  const sink = collectingSink()
  const cache = backend.createCache()
  try {
    const result = await generate({
      backend,
      cache,
      promptIds: Int32Array.from(prompt.ids),
      sampler: createSampler({ temperature: 0 }, backend),
      sink,
      maxTokens: golden.new_tokens,
      continuation: true,
      ...options,
    })
    return { ids: result.tokenIds, text: sink.text, finishReason: result.finishReason }
  } finally {
    cache.dispose()
  }
}

test('the golden has twenty prompts', () => {
  expect(golden.prompts.length).toBe(20)
})

describe.each(runtimes)('%s', (runtime) => {
  describe.each(dtypes)('%s', (dtype) => {
    let backend: Backend
    beforeAll(async () => {
      ;({ backend } = await openBackend({ model: TINY_MODEL.folder, dtype, runtime, threads: 1 }))
    })
    afterAll(() => backend.dispose())

    // What the binding of npm gives must be the same; a quarter of the texts tells as much.
    const prompts = golden.prompts.filter((_, i) => runtime === 'c-api' || i % 4 === 0)
    test.each(prompts.map((prompt) => [prompt.name, prompt] as const))('%s', async (_, prompt) => {
      expect([...backend.tokenizer.encode(prompt.text)]).toEqual(prompt.ids)
      const { ids, text } = await greedy(backend, prompt)
      const [got, expected] = certainIds(ids, prompt[dtype])
      expect(got).toEqual(expected)
      if (got.length === ids.length) expect(text).toBe(prompt[dtype].text)
    })

    test('any chunks of the prompt give the same ids', async () => {
      const prompt = golden.prompts.reduce((a, b) => (b.ids.length > a.ids.length ? b : a))
      const whole = await greedy(backend, prompt, { maxTokens: 24 })
      // One id at a time is decoding, where the 4-bit matmuls of ONNX Runtime round differently.
      const isOwn = runtime === 'c-api' && kernelChoice().isa !== undefined
      for (const prefillChunk of dtype === 'q4' && !isOwn ? [3, 7, 64] : [1, 7, 64]) {
        const chunked = Object.create(backend, { prefillChunk: { value: prefillChunk } }) as Backend
        chunked.forward = backend.forward.bind(backend)
        chunked.createCache = backend.createCache.bind(backend)
        expect((await greedy(chunked, prompt, { maxTokens: 24 })).ids).toEqual(whole.ids)
      }
    })

    test('a cache that is trimmed and fed again gives the ids of a fresh one', async () => {
      const [first, second] = golden.prompts as [GoldenPrompt, GoldenPrompt]
      const cache = backend.createCache()
      await backend.forward(Int32Array.from([...first.ids, ...second.ids, ...second.ids]), cache)
      cache.trim(first.ids.length)
      const sampler = createSampler({ temperature: 0 }, backend)
      const ids: number[] = []
      // The last two ids of the prompt are run again, for their logits.
      cache.trim(first.ids.length - 2)
      let logits = await backend.forward(Int32Array.from(first.ids.slice(-2)), cache)
      for (let i = 0; i < 32; i++) {
        ids.push(sampler.sample(logits.row))
        logits = await backend.forward(Int32Array.of(ids.at(-1)!), cache)
      }
      cache.dispose()
      expect(ids).toEqual((await greedy(backend, first, { maxTokens: 32, ignoreEos: true })).ids)
    })

    test('two texts at once do not mix', async () => {
      const [first, second] = golden.prompts as [GoldenPrompt, GoldenPrompt]
      const alone = [
        await greedy(backend, first, { maxTokens: 16 }),
        await greedy(backend, second, { maxTokens: 16 }),
      ]
      const caches = [backend.createCache(), backend.createCache()]
      const samplers = caches.map(() => createSampler({ temperature: 0 }, backend))
      const ids: [number[], number[]] = [[], []]
      let inputs: Int32Array[] = [Int32Array.from(first.ids), Int32Array.from(second.ids)]
      for (let step = 0; step < 16; step++) {
        const next: Int32Array[] = []
        for (const i of [0, 1] as const) {
          const { row } = await backend.forward(inputs[i]!, caches[i]!)
          ids[i].push(samplers[i]!.sample(row))
          next.push(Int32Array.of(ids[i].at(-1)!))
        }
        inputs = next
      }
      for (const cache of caches) cache.dispose()
      expect(ids).toEqual(alone.map((run) => run.ids))
    })
  })
})

test('the same seed gives the same text, another seed another', async () => {
  const { backend } = await openBackend({ model: TINY_MODEL.folder, threads: 1 })
  const draw = (seed: bigint) =>
    greedy(backend, golden.prompts[0]!, {
      maxTokens: 48,
      sampler: createSampler({ temperature: 0.9, topP: 0.95, seed }, backend),
    })
  const [a, b, c] = [await draw(7n), await draw(7n), await draw(8n)]
  expect(a).toEqual(b)
  expect(a.text).not.toBe(c.text)
  await backend.dispose()
})

describe('several end ids', () => {
  const chat = readGolden('tiny-chat.json')

  test.each(dtypes)('%s: each of them ends the answer, also as its first token', async (dtype) => {
    const { backend } = await openBackend({ model: CHAT_MODEL.folder, dtype, threads: 1 })
    expect([...backend.stopTokenIds].sort()).toEqual([...chat.stop_ids!].sort())
    const ended = new Set<number>()
    for (const prompt of chat.prompts) {
      const run = prompt[dtype]
      const { ids, finishReason } = await greedy(backend, prompt, { maxTokens: chat.new_tokens })
      const last = run.ids.at(-1)!
      const stops = chat.stop_ids!.includes(last)
      const [got, expected] = certainIds(stops ? [...ids, last] : ids, run)
      expect(got).toEqual(expected)
      if (stops && got.length === run.ids.length) {
        expect(finishReason).toBe('stop')
        ended.add(last)
      }
    }
    expect(ended.size).toBeGreaterThan(1)
    await backend.dispose()
  })
})
