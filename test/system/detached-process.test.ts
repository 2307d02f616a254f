/** A process that outlives the one that started it: what it has of it, and what it has not. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { startDetached } from '../../src/system/detached-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'spout-detached-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What it writes into the file that it is given. */
const PROGRAM = [
  "cut -d ' ' -f 6 < /proc/$$/stat",
  'pwd',
  'echo "$WORD $1"',
  'echo "$OPEN"',
  'test -e /proc/$$/fd/"$2" && echo open || echo closed',
  'grep -E "^Sig(Blk|Ign):" /proc/$$/status',
  'echo end',
].join('\n')

test.runIf(process.platform === 'linux')(
  '[prepare.after] a file is given along, and nothing else (needs Linux)',
  async () => {
    const path = join(folder, 'said')
    const given = openSync(path, 'w')
    const other = openSync('/dev/null', 'r')
    const id = startDetached({
      program: '/bin/sh',
      args: [
        '-c',
        `OPEN=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2)\n{ ${PROGRAM}\n} >&3`,
        'sh',
        'ä b',
        String(other),
      ],
      env: { WORD: 'c=d', PATH: process.env.PATH },
      folder: '/usr',
      given,
      closed: [other],
    })
    closeSync(given)
    closeSync(other)
    for (let i = 0; !readFileSync(path, 'utf8').endsWith('end\n'); i++) {
      expect(i).toBeLessThan(1200)
      await sleep(50)
    }
    const [session, stands, words, ...rest] = readFileSync(path, 'utf8').split('\n')
    expect([Number(session), stands, words]).toEqual([id, '/usr', 'c=d ä b'])
    expect(rest.slice(0, 4)).toEqual(['/dev/null', '/dev/null', '/dev/null', 'closed'])
    expect(rest.slice(4, 6).map((line) => Number.parseInt(line.split('\t')[1]!, 16))).toEqual([0, 0])
  },
)

test.runIf(process.platform === 'linux')('a program that is not there is an error of the system', () => {
  const start = () =>
    startDetached({ program: '/nowhere', args: [], env: {}, folder: '/', given: undefined, closed: [] })
  expect(start).toThrow(expect.objectContaining({ code: 'os' }))
})
