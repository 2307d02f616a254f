import {
  closeSync,
  lstatSync,
  lutimesSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { acquireLock } from '../../src/system/file-lock.ts'
import { temporaryFolder } from '../support/model-repo.ts'

const options = {
  patience: { pollMs: 5, lockStaleMs: 60_000, noticeMs: 10 },
  isDone: () => false,
  onWait: () => undefined,
}

describe('a lock', () => {
  it('touches itself, never what a link in its place leads to', async () => {
    const folder = temporaryFolder()
    const [path, other] = [join(folder, 'lock'), join(folder, 'other')]
    writeFileSync(other, 'x')
    utimesSync(other, 1, 1)
    const lock = (await acquireLock(path, options))!
    renameSync(path, join(folder, 'aside'))
    symlinkSync(other, path)
    lutimesSync(path, 1, 1)
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 10_000)
    lock.touch()
    vi.restoreAllMocks()
    expect(lstatSync(path).mtimeMs).toBeGreaterThan(1000)
    expect(statSync(other).mtimeMs).toBe(1000)
    lock.release()
    expect(readFileSync(other, 'utf8')).toBe('x')
  })

  it('released twice closes nothing that was opened since', async () => {
    const folder = temporaryFolder()
    const lock = (await acquireLock(join(folder, 'lock'), options))!
    lock.release()
    const files = Array.from({ length: 4 }, () => openSync(folder, 'r'))
    lock.release()
    for (const file of files) expect(() => closeSync(file)).not.toThrow()
  })

  it('with a time to come is nobody’s', async () => {
    const path = join(temporaryFolder(), 'lock')
    writeFileSync(path, 'somebody')
    utimesSync(path, Date.now() / 1000 + 1e6, Date.now() / 1000 + 1e6)
    const lock = await acquireLock(path, { ...options, patience: { ...options.patience, pollMs: 1 } })
    expect(readFileSync(path, 'utf8')).toMatch(/^p\d+s/)
    lock!.release()
  })
})
