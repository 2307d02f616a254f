/** Buffers of keys and values that grow: what they held is there after it, and there is no more room than the context needs. */
import { expect, test } from 'vitest'
import type { RowsSlot } from '../../../../src/backend/onnx/plan/state-slots.ts'
import { InPlaceRows } from '../../../../src/backend/onnx/states/in-place-rows.ts'
import type { Session, Tensor } from '../../../../src/onnx-runtime/runtime.ts'

const SLOT = {
  kind: 'rows',
  past: 'past',
  present: 'present',
  type: 'float32',
  dims: [1, 2, 0, 4],
  axis: 2,
  inPlace: true,
} as RowsSlot

function growing(limits: { expected: number; most: number }) {
  const made: { dims: readonly number[]; data: Float32Array }[] = []
  const session = {
    allocate(_: string, dims: readonly number[]) {
      const tensor = {
        dims,
        data: new Float32Array(dims.reduce((a, b) => a * b, 1)),
        dispose: () => undefined,
      }
      made.push(tensor)
      return tensor as unknown as Tensor
    },
    read: (tensor: Tensor) => tensor.data,
    write: () => undefined,
    bindInput: () => undefined,
    bindOutput: () => undefined,
  } as unknown as Session
  return { rows: new InPlaceRows(session, [SLOT], limits), made }
}

test('all tokens so far are copied', () => {
  const { rows, made } = growing({ expected: 0, most: 4096 })
  rows.bind(0, 250, true)
  made[0]!.data.fill(7)
  rows.bind(250, 7, false)
  expect(made.map(({ dims }) => dims)).toEqual([
    [1, 2, 256, 4],
    [1, 2, 512, 4],
  ])
  for (const head of [0, 1]) {
    const copied = made[1]!.data.subarray(head * 512 * 4, head * 512 * 4 + 250 * 4)
    expect([...new Set(copied)]).toEqual([7])
  }
})

test.each([
  [301, 301],
  [257, 257],
  [256, 256],
])('a context of %d has room for %d', (most, room) => {
  const { rows, made } = growing({ expected: most, most })
  rows.bind(0, 1, true)
  expect(made[0]!.dims[2]).toBe(room)
})
