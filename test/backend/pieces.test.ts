/** A prompt may be cut anywhere: what follows is the same to the last bit. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { pieceEnd } from '../../src/backend/pieces.ts'
import { prefill } from '../../src/generation/prefill.ts'
import { openBackend } from '../../src/open/open-engine.ts'

function pieces(length: number, most: number): number[] {
  const sizes: number[] = []
  for (let start = 0; start < length; start += sizes.at(-1)!) {
    sizes.push(pieceEnd(start, most, length) - start)
  }
  return sizes
}

describe('pieces', () => {
  test('make up the prompt, none is longer than asked, and none has a row alone in its tile', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5000 }), fc.constantFrom(128, 64, 132, 4112), (length, most) => {
        const sizes = pieces(length, most)
        expect(sizes.reduce((a, b) => a + b)).toBe(length)
        expect(sizes.filter((size) => size < 2 || size > most || size % 16 === 1)).toEqual([])
        // Little is given up for that: at most one piece more than there would be.
        expect(sizes.length).toBeLessThanOrEqual(Math.ceil(length / most) + 1)
      }),
    )
  })

  test.each([
    [1, 128, [1]],
    [128, 128, [128]],
    [129, 128, [126, 3]],
    [65, 128, [63, 2]],
    [145, 128, [126, 19]],
    [257, 128, [128, 126, 3]],
    [7, 3, [3, 2, 2]],
    [3, 1, [1, 1, 1]],
    [1025, Number.POSITIVE_INFINITY, [1025]],
  ])('%d ids by %d: %j', (length, most, expected) => {
    expect(pieces(length, most)).toEqual(expected)
  })
})

describe.each(['q4', 'fp32'] as const)('the embedded model, %s', (dtype) => {
  let backend: Backend
  beforeAll(async () => {
    ;({ backend } = await openBackend({ dtype, threads: 1 }))
  })
  afterAll(() => backend.dispose())

  async function rowAfter(ids: Int32Array, cuts: readonly number[]): Promise<Float32Array> {
    const cache = backend.createCache(ids.length)
    let row = new Float32Array(0)
    for (const [i, start] of [0, ...cuts].entries()) {
      const part = ids.subarray(start, cuts[i] ?? ids.length)
      row = (await prefill(backend, { ids: part, cache })).row.slice()
    }
    cache.dispose()
    return row
  }

  // Whole, 65 and 129 ids leave one row for a last tile of 64 and of 128.
  test.each([
    [65, 40],
    [129, 40],
    [193, 128],
    [400, 17],
    [700, 333],
    [1089, 865],
  ])('%d ids, cut at %d', async (length, cut) => {
    const ids = Int32Array.from({ length }, (_, i) => 10 + ((i * 7919 + i * i * 31) % 2500))
    expect(await rowAfter(ids, [cut])).toEqual(await rowAfter(ids, []))
  })
})
