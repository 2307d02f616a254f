import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isOursAlone } from '../../src/system/folder-trust.ts'
import { spoutCacheFolder, trustedSpoutCache } from '../../src/system/spout-cache.ts'

const isRoot = process.geteuid?.() === 0
const NOBODY = 65534

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spout-trust-'))
  mkdirSync(join(root, 'a/b'), { recursive: true })
})
afterEach(() => rmSync(root, { recursive: true, force: true }))
const at = (...names: string[]) => join(root, ...names)

describe('a folder that is ours alone', () => {
  it('is one that we made, or will make', () => {
    expect(isOursAlone(at('a/b'))).toBe(true)
    expect(isOursAlone(at('a/b/new/newer'))).toBe(true)
  })

  it.each([0o777, 0o1777, 0o772])('is not one that others may write to (%o)', (mode) => {
    chmodSync(at('a/b'), mode)
    expect(isOursAlone(at('a/b'))).toBe(false)
    expect(isOursAlone(at('a/b/new'))).toBe((mode & 0o1000) !== 0)
  })

  it('is not one whose place others may give to another', () => {
    chmodSync(at('a'), 0o777)
    expect(isOursAlone(at('a/b'))).toBe(false)
    chmodSync(at('a'), 0o1777)
    expect(isOursAlone(at('a/b'))).toBe(true)
  })

  it.runIf(isRoot)(
    'is not of another user, nor reached through a link or a folder of his (needs root)',
    () => {
      symlinkSync(at('a/b'), at('link'))
      expect(isOursAlone(at('link'))).toBe(true)
      execFileSync('chown', ['-h', 'nobody', at('link')])
      expect(isOursAlone(at('link'))).toBe(false)
      chownSync(at('a'), NOBODY, NOBODY)
      expect(isOursAlone(at('a/b'))).toBe(false)
      chownSync(at('a'), 0, 0)
      chownSync(at('a/b'), NOBODY, NOBODY)
      expect(isOursAlone(at('a/b'))).toBe(false)
    },
  )

  it.runIf(isRoot)(
    'may be writable by a group of others only if that is the user’s own or root’s (needs root)',
    () => {
      chmodSync(at('a/b'), 0o770)
      expect(isOursAlone(at('a/b'))).toBe(true)
      chownSync(at('a/b'), 0, NOBODY)
      expect(isOursAlone(at('a/b'))).toBe(false)
    },
  )
})

describe('our own cache', () => {
  it.each([
    [{ SPOUT_CACHE_DIR: '~/x', HOME: '/e' }, '/e/x'],
    [{ SPOUT_CACHE_DIR: '$HOME/x', HOME: '/e' }, '/e/x'],
    [{ SPOUT_CACHE_DIR: '/c', HOME: '/e' }, '/c'],
    [{ XDG_CACHE_HOME: '/d', HOME: '/e' }, '/d/spout'],
    [{ XDG_CACHE_HOME: 'relative', HOME: '/e' }, '/e/.cache/spout'],
    [{ HOME: '/e' }, '/e/.cache/spout'],
  ])('of %j is %s', (env, folder) => {
    expect(spoutCacheFolder(env)).toBe(folder)
  })

  it('is not below the working directory because HOME is relative', () => {
    expect(spoutCacheFolder({ HOME: 'relative' }).startsWith(process.cwd())).toBe(false)
  })

  it('is not used where others can write to it, and that is said', () => {
    const notes: string[] = []
    const note = (text: string) => void notes.push(text)
    expect(trustedSpoutCache({ SPOUT_CACHE_DIR: at('a') }, note)).toBe(at('a'))
    expect(notes).toEqual([])
    chmodSync(at('a'), 0o777)
    expect(trustedSpoutCache({ SPOUT_CACHE_DIR: at('a') }, note)).toBeUndefined()
    expect(notes.join()).toContain('others can write there')
  })

  const built = join(import.meta.dirname, '../../dist/system/spout-cache.js')
  it.runIf(isRoot && existsSync(built))(
    'is not used where it may not be entered, and nobody is accused (needs root and npm run build)',
    () => {
      chmodSync(root, 0o755)
      chmodSync(at('a'), 0o700)
      const program = `import(${JSON.stringify(built)}).then(({ trustedSpoutCache }) => {
        process.seteuid(${NOBODY})
        console.log(trustedSpoutCache({ HOME: ${JSON.stringify(at('a/b'))} }, console.log))
      })`
      const said = execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' })
      expect(said).toMatch(/a\/b\/.cache\/spout: it may not be entered, so .*another HOME.*\nundefined\n$/s)
    },
  )
})
