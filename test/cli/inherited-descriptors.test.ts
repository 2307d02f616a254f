/** A process that goes on in the background holds nothing of the shell's open. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { stdioOfNobody } from '../../src/cli/inherited-descriptors.ts'
import { prepareWords } from '../../src/cli/prepare-later.ts'
import { ROOT } from '../support/run-spout.ts'

test.runIf(process.platform === 'linux')(
  '[prepare.after] what a shell has opened is seen, and replaced (needs Linux)',
  () => {
    const program = `import(${JSON.stringify(join(ROOT, 'dist/cli/inherited-descriptors.js'))}).then((m) =>
    console.log(JSON.stringify([m.inheritedDescriptors(), m.stdioOfNobody().map((each) => typeof each)])))`
    const { stdout } = spawnSync(
      'bash',
      ['-c', 'exec 60</dev/null 61>/dev/null; exec "$0" -e "$1"', process.execPath, program],
      {
        encoding: 'utf8',
      },
    )
    const [found, stdio] = JSON.parse(stdout) as [number[], string[]]
    expect(found).toEqual(expect.arrayContaining([60, 61]))
    expect([stdio[60], stdio[61], stdio[2], stdio[59]]).toEqual(['number', 'number', 'string', 'string'])
  },
)

test('[prepare.after] nothing inherited: the usual three', () => {
  expect(stdioOfNobody([])).toEqual(['ignore', 'ignore', 'ignore'])
})

test('[prepare.after] a folder is named as it is seen from anywhere', () => {
  const options = { stdin: true, newline: true }
  expect(prepareWords({ ...options, model: 'src', cacheDir: 'c' })).toEqual([
    ...[
      'models',
      'prepare',
      '--if-free',
      '--quiet',
      '--offline',
      '--cache-dir',
      join(process.cwd(), 'c'),
      '--',
    ],
    join(process.cwd(), 'src'),
  ])
  expect(prepareWords({ ...options, model: 'org/name' }).at(-1)).toBe('org/name')
})
