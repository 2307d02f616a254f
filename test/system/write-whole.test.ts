import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { newIdentity } from '../../src/system/process-identity.ts'
import {
  freeBytes,
  linkTarget,
  sweepScratch,
  UnfinishedFile,
  writeWhole,
} from '../../src/system/write-whole.ts'
import { temporaryFolder } from '../support/model-repo.ts'

describe('a file that is written whole', () => {
  it('takes the place of what was there, a link among it, and leaves nothing beside it', () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'other'), 'other')
    symlinkSync('other', join(folder, 'file'))
    writeWhole(join(folder, 'file'), 'new', { mode: 0o600 })
    writeWhole(join(folder, 'file'), Buffer.from('newer'), { mode: 0o600 })
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('newer')
    expect(statSync(join(folder, 'file')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('other')
    expect(readdirSync(folder).sort()).toEqual(['file', 'other'])
  })

  it.runIf(process.platform === 'linux')('leaves no descriptor open (needs Linux)', () => {
    const folder = temporaryFolder()
    const descriptors = (): number => readdirSync('/proc/self/fd').length
    const before = descriptors()
    for (let i = 0; i < 8; i++) writeWhole(join(folder, `file${i}`), 'x')
    for (let i = 0; i < 8; i++) new UnfinishedFile(join(folder, 'never')).discard()
    expect(descriptors()).toBe(before)
  })

  it('may have a name as long as names can be', () => {
    const path = join(temporaryFolder(), 'n'.repeat(255))
    writeWhole(path, 'x')
    expect(readFileSync(path, 'utf8')).toBe('x')
  })

  it('is not there before it is whole, nor anything of it when that fails', () => {
    const folder = temporaryFolder()
    const file = new UnfinishedFile(join(folder, 'file'))
    file.write('half')
    expect(readdirSync(folder)).not.toContain('file')
    file.discard()
    mkdirSync(join(folder, 'taken'))
    expect(() => writeWhole(join(folder, 'taken'), 'x')).toThrow()
    expect(readdirSync(folder)).toEqual(['taken'])
  })

  it('leaves, when its process dies, what the next one sweeps', () => {
    const folder = temporaryFolder()
    const dead = `.${newIdentity().replace(/^p\d+s\d+/, 'p1s1')}.tmp`
    for (const name of [dead, `.${newIdentity()}.tmp`, '.other.tmp']) writeFileSync(join(folder, name), '')
    mkdirSync(join(folder, dead.replace('r', 'r0')))
    sweepScratch(folder)
    expect(readdirSync(folder)).not.toContain(dead)
    expect(readdirSync(folder)).toHaveLength(3)
  })
})

describe('where writing to a path would write', () => {
  it('is the end of its links, be it there or not', () => {
    const folder = temporaryFolder()
    symlinkSync('b', join(folder, 'a'))
    symlinkSync('c', join(folder, 'b'))
    expect(linkTarget(join(folder, 'a'))).toBe(join(folder, 'c'))
    writeFileSync(join(folder, 'c'), '')
    expect(linkTarget(join(folder, 'a'))).toBe(join(folder, 'c'))
    expect(lstatSync(linkTarget(join(folder, 'c'))).isFile()).toBe(true)
    symlinkSync('loop', join(folder, 'loop'))
    expect(linkTarget(join(folder, 'loop'))).toBe(join(folder, 'loop'))
  })
})

describe('the room on a disk', () => {
  it('is told also of what is not there yet', () => {
    const folder = temporaryFolder()
    expect(freeBytes(join(folder, 'a/b'))).toBeGreaterThan(0)
  })
})
