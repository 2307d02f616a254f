import { execFileSync } from 'node:child_process'
import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeFolder, makeFolderBelow } from '../../src/system/make-folder.ts'
import { temporaryFolder } from '../support/model-repo.ts'

describe('a folder', () => {
  it('is made with those above it, and a second time is none too many', () => {
    const path = join(temporaryFolder(), 'a/b/c')
    makeFolder(path, 0o700)
    makeFolder(path)
    expect(statSync(path).mode & 0o777).toBe(0o700)
  })

  it.runIf(process.platform === 'linux').each(['/proc/x', '/proc/x/y/z'])(
    'below /proc is refused at once: %s (needs Linux)',
    (path) => {
      expect(() => makeFolder(path)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    },
  )

  it('is not made where a file is, or below one', () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, '')
    expect(() => makeFolder(file)).toThrow(expect.objectContaining({ code: 'EEXIST' }))
    expect(() => makeFolder(join(file, 'x/y'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
  })

  it('below another is made through links of our own, not through those of others', () => {
    const [root, elsewhere] = [temporaryFolder(), temporaryFolder()]
    symlinkSync(elsewhere, join(root, 'ours'))
    makeFolderBelow(root, join(root, 'ours/x'))
    expect(existsSync(join(elsewhere, 'x'))).toBe(true)
    if (process.geteuid?.() !== 0) return
    execFileSync('chown', ['-h', 'nobody', join(root, 'ours')])
    const refused = () => makeFolderBelow(root, join(root, 'ours/y'))
    expect(refused).toThrow(expect.objectContaining({ code: 'permission' }))
    expect(existsSync(join(elsewhere, 'y'))).toBe(false)
  })
})
