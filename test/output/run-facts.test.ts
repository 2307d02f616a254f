import { expect, test } from 'vitest'
import { measure } from '../../src/output/measurements.ts'
import { runsText, samplingText, templateText } from '../../src/output/run-facts.ts'

const runs = { runtime: 'c-api', device: 'cpu' as const, threads: 2, prepared: true, refused: [] }

test.each([
  [{ matmul: 'own', attention: 'own', isa: 'avx2' }, 'own kernels (avx2), prepared, 2 threads, c-api'],
  [
    { matmul: 'onnxruntime', attention: 'onnxruntime', why: 'SPOUT_ISA=none' },
    "ONNX Runtime's kernels (SPOUT_ISA=none), prepared, 2 threads, c-api",
  ],
  [
    { matmul: 'own', attention: 'onnxruntime', isa: 'avx2', why: 'no attention' },
    "own matmul (avx2), ONNX Runtime's attention (no attention), prepared, 2 threads, c-api",
  ],
] as const)('%j', (kernels, text) => {
  expect(runsText({ ...runs, kernels })).toBe(text)
})

test('a graphics card is named', () => {
  const kernels = { matmul: 'onnxruntime', attention: 'onnxruntime' } as const
  expect(runsText({ ...runs, kernels, device: 'gpu' })).toMatch(/^graphics card, /)
})

test.each([
  [{}, 'greedy'],
  [{ temperature: 0, topK: 40 }, 'greedy'],
  [{ temperature: Math.fround(0.7), topK: 50, topP: 1 }, 'temperature 0.7, top-k 50'],
  [
    { temperature: 1, topP: 0.9, minP: 0.05, repetitionPenalty: 1.1, logitBias: new Map([[1, 2]]) },
    'temperature 1, top-p 0.9, min-p 0.05, repetition-penalty 1.1, logit-bias of 1',
  ],
])('%j is %j', (sampling, text) => {
  expect(samplingText({ sampling })).toBe(text)
})

test('the template: used, left away, or none', () => {
  const texts = [
    { isChat: true, hasChatTemplate: true },
    { isChat: false, hasChatTemplate: true },
    { isChat: false, hasChatTemplate: false },
  ].map(templateText)
  expect(new Set(texts).size).toBe(3)
})

test('a rate counts the steps that its time is of: the end token is one, the first token is not', () => {
  const result = (finishReason: 'stop' | 'length') => ({
    ...{
      finishReason,
      tokenIds: [1, 2, 3],
      promptTokens: 4,
      keptTokens: 0,
      seed: 1n,
      sampling: {},
      isChat: false,
    },
    ...({ lengthLimit: 'asked', maxTokens: 3, completionTokens: 3 } as const),
    timings: { startedAt: 0, prefilledAt: 100, endedAt: 400, firstTextAt: 110 },
  })
  expect(measure(result('length'), 0).decodeTps).toBeCloseTo(2 / 0.3)
  expect(measure(result('stop'), 0).decodeTps).toBeCloseTo(3 / 0.3)
})
