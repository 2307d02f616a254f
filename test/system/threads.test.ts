import { expect, test } from 'vitest'
import { allowedProcessors, judgeThreads, threadsFor } from '../../src/system/threads.ts'

test.each([
  [{ processors: 8, cores: 4, quota: undefined }, 4],
  [{ processors: 8, cores: undefined, quota: undefined }, 8],
  [{ processors: 1, cores: 4, quota: undefined }, 1],
  [{ processors: 2, cores: 2, quota: 1 }, 1],
  [{ processors: 2, cores: 2, quota: 1.5 }, 1],
  [{ processors: 2, cores: 2, quota: 0.5 }, 1],
  [{ processors: 8, cores: 8, quota: 3.9 }, 3],
  [{ processors: 2, cores: 2, quota: 64 }, 2],
])('%j: %i threads', (limits, threads) => {
  expect(threadsFor(limits)).toBe(threads)
})

test('more threads than processors are many, far more a mistake', () => {
  expect([1, 2, 3, 16, 17, 4096].map((threads) => judgeThreads(threads, 2))).toEqual([
    ...['fine', 'fine', 'many', 'many', 'absurd', 'absurd'],
  ])
})

test('processors that a process may run on', () => {
  const allowed = allowedProcessors('Name:\tnode\nCpus_allowed_list:\t0-1,5\nMems_allowed:\t1\n')
  expect([0, 1, 2, 4, 5, 6].map(allowed)).toEqual([true, true, false, false, true, false])
  expect(allowedProcessors('')(7)).toBe(true)
})
