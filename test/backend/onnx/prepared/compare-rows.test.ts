import { expect, test } from 'vitest'
import { compareRows } from '../../../../src/backend/onnx/prepared/compare-rows.ts'

const row = Float32Array.of(4, 1, -2, 0.5)

test('the same rows are the same, also raised by a constant or with ids masked', () => {
  expect(compareRows([row], [row])).toEqual({ ok: true, agreement: 1, divergence: 0 })
  expect(compareRows([row], [row.map((logit) => logit + 8)])).toMatchObject({ ok: true, agreement: 1 })
  const masked = Float32Array.of(4, Number.NEGATIVE_INFINITY, -2, 0.5)
  expect(compareRows([masked], [masked])).toEqual({ ok: true, agreement: 1, divergence: 0 })
})

test('the divergence is that of the definition', () => {
  // ln 4 against ln 2 over two ids: p = 4/5, q = 2/3.
  const p = [Float32Array.of(Math.log(4), 0)]
  const q = [Float32Array.of(Math.log(2), 0)]
  const expected = 0.8 * Math.log(0.8 / (2 / 3)) + 0.2 * Math.log(0.2 / (1 / 3))
  expect(compareRows(p, q).divergence).toBeCloseTo(expected, 6)
})

test.each([
  ['another leader', [Float32Array.of(1, 4, -2, 0.5)]],
  ['no number', [Float32Array.of(4, Number.NaN, -2, 0.5)]],
  ['none but no numbers', [row.map(() => Number.NaN)]],
  ['an infinite one', [Float32Array.of(Number.POSITIVE_INFINITY, 1, -2, 0.5)]],
  ['fewer ids', [row.slice(1)]],
  ['no rows', []],
])('%s fails', (_, after) => {
  expect(compareRows([row], after).ok).toBe(false)
})

test('a lead that is next to none may change hands', () => {
  const close = Float32Array.of(4, 4.0001, -2, 0.5)
  expect(compareRows([close], [row.with(1, 3.9999)]).agreement).toBe(1)
})
