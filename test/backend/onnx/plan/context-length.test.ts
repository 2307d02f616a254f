import { expect, test } from 'vitest'
import { contextLength } from '../../../../src/backend/onnx/plan/context-length.ts'
import { emptyConfig } from '../../../support/open-onnx.ts'

const of = (length: number | undefined, raw: Record<string, unknown> = {}, rows?: number): number =>
  contextLength({ ...emptyConfig, contextLength: length, raw }, rows)

test('the smaller of config and rope table; what is there when one is missing', () => {
  expect(of(8192, {}, 4096)).toBe(4096)
  expect(of(4096, {}, 131072)).toBe(4096)
  expect(of(undefined, {}, 512)).toBe(512)
  expect(of(512)).toBe(512)
  expect(of(undefined)).toBe(2048)
})

test('yarn stretches what it names as the original length', () => {
  const yarn = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32768 }
  expect(of(32768, { rope_scaling: yarn })).toBe(131072)
  expect(of(32768, { rope_parameters: yarn })).toBe(131072)
  expect(of(32768, { rope_scaling: { ...yarn, rope_type: undefined, type: 'yarn' } })).toBe(131072)
  expect(of(32768, { text_config: { rope_scaling: yarn } })).toBe(131072)
  // Some configs have the stretched length already.
  expect(of(131072, { rope_scaling: { ...yarn, factor: 32, original_max_position_embeddings: 4096 } })).toBe(
    131072,
  )
})

test('no other scaling does, and nothing odd does', () => {
  for (const rope_type of ['llama3', 'longrope', 'linear', 'dynamic', 'su', 'default']) {
    expect(of(4096, { rope_scaling: { rope_type, factor: 8, original_max_position_embeddings: 4096 } })).toBe(
      4096,
    )
  }
  for (const factor of ['4', Number.NaN, -4, 1e300, null]) {
    expect(of(4096, { rope_scaling: { type: 'yarn', factor, original_max_position_embeddings: 4096 } })).toBe(
      4096,
    )
  }
  expect(of(4096, { rope_scaling: null })).toBe(4096)
  expect(of(4096, { text_config: null, rope_scaling: 7 })).toBe(4096)
})
