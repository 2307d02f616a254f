/** The README says what is true of the program. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/command-table.ts'
import { FLAGS } from '../../src/cli/flags.ts'
import { ROOT } from '../support/run-spout.ts'

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
const commands = Array.from(
  readme.matchAll(/^```(?:sh|console)\n([\s\S]*?)^```/gm),
  ([, block]) => block!,
).join('\n')

test('its generated parts, and the manual page, are those of the tables: npm run docs', () => {
  const { status, stderr } = spawnSync(process.execPath, ['docs/make/write-docs.mjs', '--check'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

test('every option and every command in its recipes exists', () => {
  const flags = [...FLAGS, ...COMMANDS.flatMap((command) => command.flags ?? [])]
  const known = new Set(flags.flatMap((flag) => flag.flags.match(/--?[\w-]+/g) ?? []))
  const used = new Set<string>()
  for (const line of commands.split('\n')) {
    for (const [call] of line.replace(/#.*/, '').matchAll(/\bspout(?:\.js)? [^|;)>]*/g)) {
      const words = call.replace(/"[^"]*"/g, 'text').split(/\s+/)
      for (const word of words) if (/^--?[a-z]/.test(word)) used.add(word.replace(/=.*/, ''))
      const first = words[1]!
      if (/^[a-z]+$/.test(first) && first !== 'text') {
        expect([...COMMANDS.map(({ name }) => name), 'help'], call).toContain(first)
      }
    }
  }
  expect(used.size).toBeGreaterThan(6)
  expect([...used].filter((flag) => !known.has(flag))).toEqual([])
})

test('every folder on its map exists, and no other has been forgotten', () => {
  const map = /^```\nbin[\s\S]*?^```/m.exec(readme)![0]
  const places = Array.from(map.matchAll(/^([\w./-]+) /gm), ([, place]) => place!)
  for (const place of places) expect(existsSync(join(ROOT, place)), place).toBe(true)
  const rooms = spawnSync('git', ['ls-tree', '--name-only', 'HEAD', 'src/'], { cwd: ROOT, encoding: 'utf8' })
  for (const room of rooms.stdout.split('\n').filter((name) => name !== '' && !name.endsWith('.ts'))) {
    expect(places).toContain(`${room}/`)
  }
})

test('each exit code of its table is one of the program', () => {
  expect(readme).toMatch(/^\| 141 +\| the reader of the output went away, as in \\\| head -1 +\|$/m)
})

test('its recipe that names files takes nothing from a model that is no plain name', () => {
  const recipe = /tr -cs[^\n)]*/.exec(commands)![0]
  const names = ['../x', '-t..', '/etc/passwd', 'a b\nc', 'x;rm -rf .', '', '..', '$(id)', 'Été'].map(
    (text) => spawnSync('sh', ['-c', recipe], { input: text, encoding: 'utf8' }).stdout.trimEnd(),
  )
  expect(names).toEqual(['x', 't', 'etc-passwd', 'a-b-c', 'x-rm-rf', '', '', 'id', 't'])
})
