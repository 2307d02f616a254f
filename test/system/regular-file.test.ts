import { execFileSync } from 'node:child_process'
import { chownSync, linkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readJsonFile } from '../../src/system/json-file.ts'
import { readRegular, readRegularLater } from '../../src/system/regular-file.ts'
import { temporaryFolder } from '../support/model-repo.ts'

const folder = temporaryFolder()
const at = (name: string) => join(folder, name)
writeFileSync(at('file'), 'text')
writeFileSync(at('second'), 'text')
linkSync(at('second'), at('name'))
symlinkSync(at('file'), at('link'))
symlinkSync('/dev/zero', at('zeros'))
execFileSync('mkfifo', [at('pipe')])
const own = (name: string) => () => readRegular(at(name), { most: 10, own: true })
const refused = expect.objectContaining({ code: 'ENOTREG' })

describe('a file to be read', () => {
  it('is a regular one, be it behind a link, and not too long', async () => {
    for (const name of ['file', 'link']) {
      expect(readRegular(at(name), { most: 4 }).toString()).toBe('text')
      expect((await readRegularLater(at(name))).toString()).toBe('text')
    }
    expect(() => readRegular(at('file'), { most: 3 })).toThrow(refused)
  })

  it.each([
    ['pipe', 'ENOTREG'],
    ['zeros', 'ENOTREG'],
    ['.', 'EISDIR'],
  ])('is not %s: refused at once', async (name, code) => {
    expect(() => readRegular(at(name), { most: 10 })).toThrow(expect.objectContaining({ code }))
    await expect(readRegularLater(at(name))).rejects.toMatchObject({ code })
    expect(() => readJsonFile(at(name))).toThrow(expect.objectContaining({ code: 'config' }))
  })

  it('that is to be our own has no link, no second name and no other owner', () => {
    expect(own('file')().toString()).toBe('text')
    expect(own('link')).toThrow(expect.objectContaining({ code: 'ELOOP' }))
    expect(own('name')).toThrow(refused)
    if (process.geteuid?.() !== 0) return
    writeFileSync(at('theirs'), 'text')
    chownSync(at('theirs'), 65534, 65534)
    expect(own('theirs')).toThrow(refused)
  })
})
