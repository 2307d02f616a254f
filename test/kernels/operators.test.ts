/** Shapes out of a file become machine code: only those that there is code for pass. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AttentionShape, isAttentionShape } from '../../src/kernels/attention/attention-shape.ts'
import { isMatmulShape, type MatmulShape } from '../../src/kernels/matmul/matmul-shape.ts'
import { parseOperators } from '../../src/kernels/operators.ts'

const matmul: MatmulShape = { k: 64, n: 48, bits: 4, scaleBytes: 2, isSwiglu: true }
const scale = Math.fround(0.1)
const attention: AttentionShape = {
  heads: 8,
  kvHeads: 2,
  headDim: 64,
  scale,
  isPacked: true,
  isRotated: true,
}

test('what is written is read', () => {
  const operators = {
    matmuls: [matmul],
    attentions: [attention],
    norms: [{ n: 64, epsilon: 1e-5, hasResidual: true }],
  }
  expect(parseOperators(JSON.parse(JSON.stringify(operators)))).toEqual(operators)
})

const badSize = fc.oneof(
  fc.constantFrom(0, -32, 1, 8, 33, 2 ** 22 + 32, 2 ** 31, 2 ** 32 + 64, 1e300, Number.NaN),
  fc.constantFrom<unknown>('64', null, undefined, true, [64], {}),
)

test('a matmul of any other kind is refused', () => {
  fc.assert(
    fc.property(fc.constantFrom('k', 'n', 'bits', 'scaleBytes'), badSize, (name, value) => {
      const changed = { ...matmul, [name]: value }
      if (name === 'bits' && value === 8) expect(isMatmulShape(changed)).toBe(true)
      else expect(isMatmulShape(changed)).toBe(false)
    }),
  )
  for (const value of [{}, null, 7, 'x', [], { ...matmul, isSwiglu: 1 }, { ...matmul, n: 2 ** 22 }])
    expect(isMatmulShape(value)).toBe(false)
  expect(isMatmulShape({ ...matmul, n: 2 ** 22, isSwiglu: false })).toBe(true)
})

test('attention of any other kind is refused', () => {
  fc.assert(
    fc.property(fc.constantFrom('heads', 'kvHeads', 'headDim'), badSize, (name, value) => {
      const changed = { ...attention, [name]: value }
      const isFine = (name === 'kvHeads' && (value === 1 || value === 8)) || (name === 'heads' && value === 8)
      expect(isAttentionShape(changed)).toBe(isFine)
    }),
  )
  const others: Partial<Record<keyof AttentionShape, unknown>>[] = [
    { headDim: 272 },
    { headDim: 48 },
    { heads: 130 },
    { heads: 129, kvHeads: 1 },
    { heads: 64 * 70_000, kvHeads: 70_000 },
    { scale: 0.1 },
    { scale: Number.POSITIVE_INFINITY },
    { scale: '1' },
    { isPacked: 0 },
    { isRotated: undefined },
  ]
  for (const other of others)
    expect([other, isAttentionShape({ ...attention, ...other })]).toEqual([other, false])
  expect(isAttentionShape({ ...attention, headDim: 48, isRotated: false })).toBe(true)
})

test.each([
  null,
  {},
  { matmuls: [matmul] },
  { matmuls: {}, attentions: [] },
  { matmuls: [{}], attentions: [], norms: [] },
  { matmuls: [], attentions: [], norms: [{ n: 24, epsilon: 0, hasResidual: false }] },
])('no operators: %j', (value) => expect(() => parseOperators(value)).toThrow('operators'))
