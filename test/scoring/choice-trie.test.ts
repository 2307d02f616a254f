/** The tree of choices against each choice by itself; what of it is run, and in which order. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ChoiceTrie } from '../../src/scoring/choice-trie.ts'
import { anyOf, totalOf } from '../../src/scoring/row-logprobs.ts'

const VOCABULARY = 6
const ENDS = new Set([0, 5])

/** A row that depends on all ids before it. */
function rowAfter(ids: readonly number[]): Float32Array {
  let state = 17
  for (const id of ids) state = (Math.imul(state, 31) + id + 1) | 0
  return Float32Array.from(
    { length: VOCABULARY },
    (_, id) => ((Math.imul(state + id, 2654435761) >>> 0) % 997) / 99,
  )
}

/** By definition: the sum over the ids, and the end. */
function alone(ids: readonly number[], ends: ReadonlySet<number> | undefined): number {
  let sum = 0
  for (let i = 0; i <= ids.length; i++) {
    const row = rowAfter(ids.slice(0, i))
    const weights = Array.from(row, (logit) => Math.exp(logit))
    const total = weights.reduce((a, b) => a + b, 0)
    if (i < ids.length) sum += Math.log(weights[ids[i]!]! / total)
    else if (ends !== undefined) sum += Math.log([...ends].reduce((a, id) => a + weights[id]!, 0) / total)
  }
  return sum
}

function run(choices: readonly (readonly number[])[], ends?: ReadonlySet<number>) {
  const trie = new ChoiceTrie(
    choices.map((ids) => Int32Array.from(ids)),
    ends,
  )
  trie.readRoot(rowAfter([]))
  let rows = 0
  // The last first: where memory is short, any may come before another.
  for (const { ids, first, read } of [...trie.branches].reverse()) {
    for (let i = first; i < ids.length; i++, rows++) read(rowAfter([...ids.subarray(0, i + 1)]), i)
  }
  return {
    logprobs: trie.logprobs(),
    branches: trie.branches.map(({ ids, first }) => [[...ids], first]),
    rows,
  }
}

const choiceLists = fc.uniqueArray(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }), {
  minLength: 2,
  maxLength: 8,
  selector: (ids) => ids.join(),
})

test.each([['with the end', ENDS] as const, ['without', undefined] as const])(
  'each choice is as likely as by itself, %s, and no row is read twice',
  (_, ends) => {
    fc.assert(
      fc.property(choiceLists, (choices) => {
        const { logprobs, rows } = run(choices, ends)
        for (const [i, ids] of choices.entries()) expect(logprobs[i]).toBeCloseTo(alone(ids, ends), 10)
        const prefixes = new Set(choices.flatMap((ids) => ids.map((__, i) => ids.slice(0, i + 1).join())))
        const inner = [...prefixes].filter((key) => ends !== undefined || isInner(key, prefixes))
        expect(rows).toBe(inner.length)
      }),
    )
  },
)

const isInner = (key: string, all: ReadonlySet<string>): boolean =>
  [...all].some((other) => other.startsWith(`${key},`))

test('the order of the choices changes neither what is run nor how likely each is', () => {
  const choices = [[3], [1, 2], [1, 2, 4], [1, 3], [2]]
  const there = run(choices, ENDS)
  const back = run([...choices].reverse(), ENDS)
  expect(back.branches).toEqual(there.branches)
  expect([...back.logprobs].reverse()).toEqual(there.logprobs)
})

describe('what is run', () => {
  test('one branch for each choice that no longer one begins with', () => {
    const { branches } = run([[1], [1, 2, 3], [1, 2, 4]], ENDS)
    expect(branches).toEqual([
      [[1, 2, 3], 0],
      [[1, 2, 4], 2],
    ])
  })

  test('nothing, where one token tells and the end is not counted', () => {
    expect(run([[1], [2]]).branches).toEqual([])
    expect(run([[1], [2, 3]]).branches).toEqual([[[2], 0]])
  })
})

describe('a row', () => {
  test('that is not finite is an error with its place', () => {
    expect(() => totalOf(Float32Array.of(1, Number.NaN), 3)).toThrow('step 3: the logit of id 1 is NaN')
    expect(() => totalOf(Float32Array.of(-Infinity, -Infinity), 0)).toThrow('none can be chosen')
  })

  test('of ends that cannot come is minus infinity, and no number that is none', () => {
    const row = Float32Array.of(1, -Infinity)
    expect(anyOf([1], row, totalOf(row, 0))).toBe(-Infinity)
  })
})
