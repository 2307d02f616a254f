/** Emitters refuse what they have no code for, wherever a shape comes from. */
import { expect, test } from 'vitest'
import { PAGE } from '../../src/backend/kv.ts'
import { attentionKind } from '../../src/kernels/attention/attention-operator.ts'
import { SEGMENT } from '../../src/kernels/attention/attention-shape.ts'
import { emitRotateTask } from '../../src/kernels/attention/rotate-code.ts'
import { matmulKind } from '../../src/kernels/matmul/matmul-operator.ts'
import { normKind } from '../../src/kernels/norm/norm-operator.ts'
import { Machine } from '../support/interpreter/machine.ts'

const MATMUL = { k: 64, n: 32, bits: 4, scaleBytes: 2 }
test.each([{ bits: 1 }, { bits: 16 }, { scaleBytes: 8 }, { k: 48 }, { n: 8 }])('a matmul of %j', (wrong) => {
  expect(() => matmulKind({ ...MATMUL, ...wrong })).toThrow(RangeError)
})

const ATTENTION = { heads: 2, kvHeads: 1, headDim: 64, scale: 0.5, isPacked: true, isRotated: true }
test.each([1024, 512, 288, 48, Number.NaN])('heads of %d', (headDim) => {
  expect(() => attentionKind({ ...ATTENTION, headDim })).toThrow(RangeError)
})

test('a rotation whose head would not fit the stack', () => {
  const emit = () => emitRotateTask(new Machine('avx2').assembler, { ...ATTENTION, headDim: 1024 })
  expect(emit).toThrow(RangeError)
})

test.each([{ n: 24 }, { n: 0 }, { epsilon: Number.NaN }])('a norm of %j', (wrong) => {
  expect(() => normKind({ n: 32, epsilon: 1e-5, hasResidual: false, ...wrong })).toThrow(RangeError)
})

test('a page of keys and values is a segment of attention', () => {
  expect(PAGE).toBe(SEGMENT)
})
