/** What is called a difference, on runs whose truth is known. */
import { expect, test } from 'vitest'
import { makeReport } from '../../src/bench/report/report.ts'
import { slowerArms } from '../../src/bench/report/slower-arms.ts'
import { type Verdict, verdictText } from '../../src/bench/statistics/verdict.ts'
import { type MadeUpRun, madeUpRun } from '../support/bench-run.ts'

const verdictOf = (input: MadeUpRun): Verdict => makeReport(madeUpRun(input)).rows[0]!.judged!.verdict
const isCall = ({ word }: Verdict): boolean => word === 'faster' || word === 'slower'
const seeds = (count: number): bigint[] => Array.from({ length: count }, (_, i) => BigInt(i + 1))

test('an arm beside itself: of 20 runs at most one calls a difference', () => {
  const calls = seeds(240).map((seed) => Number(isCall(verdictOf({ seed }))))
  const all = calls.reduce((a, b) => a + b)
  // The sign-flip test alone would call about 12.
  expect(all).toBeLessThan(6)
  const twenties = Array.from({ length: 12 }, (_, i) =>
    calls.slice(20 * i, 20 * i + 20).reduce((a, b) => a + b),
  )
  expect(twenties.filter((count) => count > 1).length).toBeLessThanOrEqual(1)
})

test('5 % that are there are found with the default pairs', () => {
  const found = seeds(200).map((seed) => verdictOf({ seed, spread: 0.02, slower: { other: 0.05 } }))
  expect(found.filter(({ word }) => word === 'slower').length).toBeGreaterThan(197)
  expect(found.filter(({ word }) => word === 'faster')).toEqual([])
})

test('what is faster is found, and said in a share of what it is beside', () => {
  const verdict = verdictOf({ slower: { other: -0.2 }, spread: 0.005 })
  expect(verdictText(verdict)).toMatch(/^faster by (19\.[5-9]|20\.[0-5]) %$/)
})

test('nothing, seen narrowly, is no difference larger than x %', () => {
  const verdict = verdictOf({ spread: 0.01 })
  expect(verdictText(verdict)).toMatch(/^no difference larger than \d\.\d %$/)
  expect(verdict.share).toBeLessThan(0.03)
})

test('nothing, seen through noise, is inconclusive, and so many more pairs would tell', () => {
  const verdict = verdictOf({ spread: 0.06, pairs: 10 })
  expect(verdictText(verdict)).toMatch(/^inconclusive: about \d+ more pairs$/)
  expect(verdict.morePairs % 2).toBe(0)
  const more = seeds(8).map((seed) => verdictOf({ seed, spread: 0.06, pairs: 10 + verdict.morePairs }))
  const told = more.filter(({ word }) => word !== 'inconclusive')
  expect(told.length).toBeGreaterThan(5)
})

test('many arms beside the same are not called different for being many', () => {
  const slower = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`arm${i}`, 0]))
  const runs = seeds(60).map((seed) => makeReport(madeUpRun({ seed, slower, pairs: 12 })))
  const withCalls = runs.filter(({ rows }) => rows.some(({ judged }) => isCall(judged!.verdict)))
  expect(withCalls.length).toBeLessThanOrEqual(4)
})

test('slower than allowed: surely slower, and by more than the limit', () => {
  const report = makeReport(madeUpRun({ slower: { a: 0.1, b: 0.02, c: 0 }, spread: 0.005 }))
  expect(slowerArms(report, 0.03).map(({ arm }) => arm)).toEqual(['a'])
  expect(slowerArms(report, 0.01).map(({ arm }) => arm)).toEqual(['a', 'b'])
  expect(slowerArms(report, 0.2)).toEqual([])
})
