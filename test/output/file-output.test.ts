/** Where `-o` may lead, and that a file is written as a whole wherever it lies. */
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { openFileOutput } from '../../src/output/file-output.ts'

const folder = mkdtempSync(join(tmpdir(), 'spout-output-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const isRoot = process.geteuid?.() === 0
const linux = process.platform === 'linux'
let count = 0
const fresh = (name = 'x'): string => {
  const below = join(folder, `${count++}`)
  mkdirSync(below)
  return join(below, name)
}
const text = (path: string): string => readFileSync(path, 'utf8')

async function write(path: string, ...pieces: string[]): Promise<void> {
  const file = openFileOutput(path)
  for (const piece of pieces) await file.write(piece)
  await file.flush()
  file.commit()
}

describe('a file', () => {
  test('is there when it is whole, and alone in its folder', async () => {
    const path = fresh()
    writeFileSync(path, 'old')
    const file = openFileOutput(path)
    await file.write('half')
    expect(text(path)).toBe('old')
    await file.write(' and half')
    file.commit()
    expect(text(path)).toBe('half and half')
    openFileOutput(path).discard()
    expect(readdirSync(join(path, '..'))).toEqual(['x'])
  })

  test.each([240, 255])('may have a name of %d bytes', async (length) => {
    const path = fresh('n'.repeat(length))
    await write(path, 'answer')
    expect(text(path)).toBe('answer')
  })

  test('behind a link that leads nowhere is made there', async () => {
    const path = fresh('link')
    const target = join(path, '../deep/../target')
    mkdirSync(join(path, '../deep'))
    symlinkSync('second', path)
    symlinkSync('deep/../target', join(path, '../second'))
    await write(path, 'answer')
    expect(text(target)).toBe('answer')
    expect(readdirSync(join(path, '..')).sort()).toEqual(['deep', 'link', 'second', 'target'])
  })

  test('keeps its other names and its mode', async () => {
    const path = fresh()
    writeFileSync(path, 'a longer old text')
    chmodSync(path, 0o640)
    linkSync(path, `${path}-too`)
    await write(path, 'new')
    expect([text(path), text(`${path}-too`)]).toEqual(['new', 'new'])
    expect(statSync(path).mode & 0o777).toBe(0o640)
  })

  test.runIf(isRoot)('keeps its owner and its group (needs root)', async () => {
    for (const [uid, gid] of [
      [65534, 65534],
      [0, 65534],
    ] as const) {
      const path = fresh()
      writeFileSync(path, 'a longer old text')
      chownSync(path, uid, gid)
      await write(path, 'new')
      expect([text(path), statSync(path).uid, statSync(path).gid]).toEqual(['new', uid, gid])
    }
  })

  test('that is new has the mode that was asked for', async () => {
    const path = fresh()
    const file = openFileOutput(path, { mode: 0o600 })
    await file.write('secret')
    file.commit()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test.runIf(isRoot && linux)(
    'that is a mount of its own is written in place (needs root on Linux)',
    async () => {
      const path = fresh()
      const source = join(path, '../source')
      writeFileSync(path, '')
      writeFileSync(source, 'a longer old text')
      if (spawnSync('mount', ['--bind', source, path]).status !== 0) return
      try {
        await write(path, 'new')
        expect(text(source)).toBe('new')
        expect(readdirSync(join(path, '..')).sort()).toEqual(['source', 'x'])
      } finally {
        spawnSync('umount', [path])
      }
    },
  )

  test('any pieces, in a new file and in place of any old text', async () => {
    const path = fresh()
    await fc.assert(
      fc.asyncProperty(
        fc.option(fc.string()),
        fc.boolean(),
        fc.array(fc.string({ unit: 'grapheme' })),
        async (old, linked, pieces) => {
          for (const name of [path, `${path}-too`]) rmSync(name, { force: true })
          if (old !== null) writeFileSync(path, old)
          if (old !== null && linked) linkSync(path, `${path}-too`)
          await write(path, ...pieces)
          expect(text(path)).toBe(pieces.join(''))
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('what cannot be written is told at once', () => {
  const refused = (path: string, code: string): void => {
    expect(() => openFileOutput(path)).toThrow(
      expect.objectContaining({ code: 'output', message: `${path}: cannot be written: ${code}` }),
    )
  }
  test('a folder, a name that can only be one, a file as a folder, a name too long, links in a circle', () => {
    const path = fresh()
    writeFileSync(path, 'old')
    symlinkSync('loop', join(path, '../loop'))
    refused(folder, 'EISDIR')
    refused(`${path}-new/`, 'EISDIR')
    refused(`${path}/`, 'ENOTDIR')
    refused(`${path}/below`, 'ENOTDIR')
    refused(join(path, '../none/x'), 'ENOENT')
    refused(join(path, '..', 'n'.repeat(256)), 'ENAMETOOLONG')
    refused(join(path, '../loop'), 'ELOOP')
    expect(text(path)).toBe('old')
  })
})

describe.runIf(linux)('a descriptor is opened, never replaced (needs Linux)', () => {
  test('that of another process: what was there stays', async () => {
    const path = fresh()
    writeFileSync(path, 'before ')
    const holder = spawn('sh', ['-c', `exec 9>>'${path}'; echo ready; read line`], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    await new Promise((ready) => holder.stdout.once('data', ready))
    await write(`/proc/${holder.pid}/fd/9`, 'answer')
    holder.stdin.end()
    expect(text(path)).toBe('before answer')
  })

  test('one that is not open', () => {
    expect(() => openFileOutput('/dev/fd/987')).toThrow(expect.objectContaining({ code: 'output' }))
  })

  test('a pipe gets it as it comes, and stays a pipe', async () => {
    const path = fresh('pipe')
    spawnSync('mkfifo', [path])
    const reader = spawn('cat', [path])
    const file = openFileOutput(path)
    await file.write('at once')
    const first = await new Promise((seen) => reader.stdout.once('data', (bytes: Buffer) => seen(`${bytes}`)))
    expect(first).toBe('at once')
    expect(existsSync(path) && statSync(path).isFIFO()).toBe(true)
    reader.kill()
  })
})
