/** Flags of `--bench` to what is measured beside what. */
import { expect, test } from 'vitest'
import {
  benchComparisons,
  benchFormat,
  benchTokens,
  checkBenchFlags,
  plainSettings,
} from '../../src/cli/bench-plan.ts'
import { FLAGS } from '../../src/cli/flags.ts'
import type { Options } from '../../src/cli/options.ts'
import { parseCommandLine } from '../../src/cli/program.ts'
import { checkFlags } from '../../src/cli/request-from-flags.ts'

function parse(...argv: string[]): Options {
  const { options } = parseCommandLine<Options>(argv, {
    name: 'spout',
    flags: FLAGS,
    help: () => '',
    words: true,
  })
  checkFlags(options)
  checkBenchFlags(options)
  benchFormat(options)
  benchTokens(options)
  return options
}

const namesOf = (...argv: string[]): string[] => {
  const options = parse('--bench', ...argv)
  const settingsOf = ({ model, threads, runtime }: Options) => plainSettings({ model, threads, runtime })
  return benchComparisons({ options, defaults: ['log-lines', 'set-penalty'], settingsOf }).map(
    ({ arm, beside }) => `${arm.name} | ${beside.name} | ${JSON.stringify(arm.settings)}`,
  )
}

test.each([
  [['x', '--bench-pairs', '20'], '--bench-pairs: needs --bench'],
  [['x', '--bench-plot', 'p'], '--bench-plot: needs --bench'],
  [['--bench', '--bench-pairs', '9'], '--bench-pairs: "9" is not a whole number from 10 to 1000'],
  [['--bench', '--bench-tokens', '0'], '--bench-tokens: "0" is not a whole number from 1 to 2147483647'],
  [['--bench', '-n', '0'], '--max-tokens: with --bench a whole number from 1'],
  [
    ['--bench', '-n', '5', '--bench-tokens', '5'],
    '--bench-tokens and --max-tokens: only one of them at a time',
  ],
  [['--bench', '-o', 'x.md'], '--output: with --bench it is one of md, json, csv, benchstat'],
  [['--bench', '-t', '1'], '--temperature and --bench: only one of them at a time'],
  [['--bench', '--json'], '--json and --bench: only one of them at a time'],
  [['--bench', '--fail-if-slower', '3 ms'], '--fail-if-slower: "3 ms" is not a number from 0 to 1000'],
  [['--bench', '--bench-arm', 'x'], `--bench-arm: "x" is not name='flags', for example q4='--dtype q4'`],
  [
    ['--bench', '--bench-arm', 'a b='],
    `--bench-arm: "a b=" is not name='flags', for example q4='--dtype q4'`,
  ],
])('%j is refused', (argv, message) => {
  expect(() => parse(...argv)).toThrow(expect.objectContaining({ code: 'usage', message }))
})

test.each([
  [['--bench-arm', 'x=--top-k 3'], '--top-k: no such option'],
  [['--bench-arm', "x=-m 'a"], '--bench-arm: x: a quote without its end'],
  [['--bench-arm', 'x=', '--bench-arm', 'x='], '--bench-arm: "x" is the name of another arm'],
  [['--bench-arm', 'product='], '--bench-arm: "product" is the name of another arm'],
  [['--bench-arms', 'all,all'], '--bench-arm: "all" is the name of another arm'],
  [['--bench-arm', 'x=--threads 0'], '--threads: "0" is not a whole number from 1 to 4096'],
])('%j is refused when the arms are made', (argv, message) => {
  expect(() => namesOf(...argv)).toThrow(expect.objectContaining({ code: 'usage', message }))
})

test('without a choice all arms there are, each beside the product of its sampling', () => {
  expect(namesOf()).toEqual([
    'product again | product | {}',
    'log-lines | product | {}',
    'set-penalty | product+penalty | {}',
  ])
})

test('one arm of one’s own is beside the settings of the command line', () => {
  expect(namesOf('--threads', '2', '--bench-arm', 'x=--threads 1')).toEqual([
    'product again | product | {"threads":2}',
    'x | product | {"threads":1}',
  ])
})

test('of several the first is what the others are beside, and quotes hold words together', () => {
  const arms = [
    '--bench-arm',
    `a=-m 'my model' --threads 1`,
    '--bench-arm',
    'b=',
    '--bench-arm',
    'c=--runtime node',
  ]
  expect(namesOf('-m', 'm', ...arms)).toEqual([
    'a again | a | {"model":"my model","threads":1}',
    'b | a | {"model":"m"}',
    'c | a | {"model":"m","runtime":"node"}',
  ])
})

test('arms that are here may be chosen with arms of one’s own', () => {
  expect(namesOf('--bench-arm', 'x=', '--bench-arms', 'node').map((line) => line.split(' |')[0])).toEqual([
    'product again',
    'x',
    'node',
  ])
})

test('percentages are shares', () => {
  expect(parse('--bench', '--fail-if-slower', '3%').failIfSlower).toBe(0.03)
  expect(parse('--bench', '--fail-if-slower', '2.5').failIfSlower).toBe(0.025)
})
