/** Help, the manual page and the README say what the tables say. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/command-table.ts'
import { FLAG_GROUPS, FLAGS, longName } from '../../src/cli/flags.ts'
import { columns, wrap } from '../../src/cli/help/columns.ts'
import { optionsHelp, shortHelp } from '../../src/cli/help/help-text.ts'
import { manPage } from '../../src/cli/help/man-page.ts'
import { findTopic, TOPICS } from '../../src/cli/help/topics.ts'
import { editDistance, nearest } from '../../src/cli/nearest.ts'
import { errorLines, literal, testRows } from '../support/cli-rows.ts'
import { ROOT } from '../support/run-spout.ts'

test('[help.short] every line fits, in every page', () => {
  for (const page of [
    shortHelp(),
    ...TOPICS.filter(({ name }) => name !== 'man').map((topic) => topic.text()),
  ]) {
    for (const line of page.split('\n')) expect(line.length, line).toBeLessThanOrEqual(88)
    expect(page).toMatch(/[^\n]\n$/)
  }
})

test('[help.short] all options are in the list of all, by their groups', () => {
  const page = optionsHelp()
  for (const group of FLAG_GROUPS) expect(page).toContain(`${group}:\n`)
  for (const flag of FLAGS) expect(page).toContain(longName(flag))
})

test('columns and wrapping', () => {
  expect(wrap('a bc def', 4)).toEqual(['a bc', 'def'])
  expect(wrap('toolongword x', 4)).toEqual(['toolongword', 'x'])
  expect(
    columns(
      [
        ['-a', 'one two three'],
        ['--bb', 'x'],
      ],
      14,
    ),
  ).toBe('  -a    one\n        two\n        three\n  --bb  x')
})

test.each([
  ['', '', 0],
  ['abc', 'abc', 0],
  ['abc', 'acb', 1],
  ['threads', 'thread', 1],
  ['kitten', 'sitting', 3],
])('the distance of %j and %j is %i', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance)
  expect(editDistance(b, a)).toBe(distance)
})

test('nothing is near to what is far', () => {
  expect(nearest('--tempreature', ['--temperature', '--top-k'])).toBe('--temperature')
  expect(nearest('banana', ['--temperature', '--top-k'])).toBeUndefined()
})

test.each([
  ['bench', 'measure'],
  ['exit', 'endings'],
  ['env', 'environment'],
  ['json', 'json'],
  ['sampling', 'sampling'],
])('[help.short] help %s is the page of %s', (word, topic) => {
  expect(findTopic(word)).toBe(TOPICS.find(({ name }) => name === topic))
})

test('[help.short] no two pages have a name in common', () => {
  const names = [
    ...TOPICS.flatMap(({ name, also = [] }) => [name, ...also]),
    ...COMMANDS.map(({ name }) => name),
  ]
  expect(names).toEqual([...new Set(names)])
})

describe('[help.man] the manual page', () => {
  test('in the package is that of the tables: npm run docs', () => {
    expect(readFileSync(join(ROOT, 'man/spout.1'), 'utf8')).toBe(manPage())
  })

  test.runIf(spawnSync('man', ['--version']).status === 0)('is read without a complaint (needs man)', () => {
    const { stdout, stderr } = spawnSync(
      'man',
      ['--warnings', '-E', 'ascii', '-l', join(ROOT, 'man/spout.1')],
      {
        encoding: 'utf8',
        env: { PATH: process.env.PATH, MANWIDTH: '80', LC_ALL: 'C' },
      },
    )
    expect(stderr).toBe('')
    for (const flag of FLAGS) expect(stdout).toContain(longName(flag))
  })
})

describe.concurrent('the command', () => {
  const all = [...TOPICS.map(({ name }) => name), ...COMMANDS.map(({ name }) => name)]
  testRows([
    { proves: ['help.short'], what: 'help alone', argv: ['help'], stdout: shortHelp() },
    {
      proves: ['help.short'],
      what: 'a topic',
      argv: ['help', 'sampling'],
      stdout: /Sampling:\n {2}-t, --temperature <x>/,
    },
    {
      proves: ['help.short'],
      what: 'a command',
      argv: ['help', 'chat'],
      stdout: /^Usage: spout chat \[options\]/,
    },
    {
      proves: ['help.short'],
      what: 'an action of a command',
      argv: ['help', 'models', 'pull'],
      stdout: /^Usage: spout models pull \[options\] <model>\.\.\.\n\nDownload models[\s\S]*--repair +hash/,
    },
    {
      proves: ['help.short', 'exit.2'],
      what: 'a topic that is nearly one',
      argv: ['help', 'samplin'],
      stderr: errorLines('help: no topic is called "samplin"', 'did you mean sampling'),
      code: 2,
    },
    {
      proves: ['help.short'],
      what: 'what was meant for the model',
      argv: ['help', 'me', 'write'],
      stderr: new RegExp(
        `^spout: error: help: no topic is called "me write"\\nspout: hint: ${literal(`topics are ${all.join(', ')}`)}`,
      ),
      code: 2,
    },
    {
      proves: ['help.man'],
      what: 'the manual page',
      argv: ['help', 'man'],
      stdout: manPage(),
    },
  ])
})
