import { resolve, sep } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { repoCache } from '../../src/hub-cache/hub-cache.ts'
import { parseHubId } from '../../src/model/model-id.ts'
import { isSafeFileName } from '../../src/system/safe-name.ts'

const usage = expect.objectContaining({ code: 'usage' })

describe('parseHubId', () => {
  it.each([
    ['org/name', 'org/name', 'main'],
    ['gpt2', 'gpt2', 'main'],
    ['org/name@v1.0', 'org/name', 'v1.0'],
    ['org/name@refs/pr/1', 'org/name', 'refs/pr/1'],
    ['Org_1/na.me-2_3', 'Org_1/na.me-2_3', 'main'],
    [`a/${'x'.repeat(96)}`, `a/${'x'.repeat(96)}`, 'main'],
  ])('reads %s', (text, repo, revision) => {
    expect(parseHubId(text)).toEqual({ repo, revision })
  })

  it.each([
    '../../etc',
    'a/b/c',
    'a--b',
    'org/a--b',
    'x.git',
    'x'.repeat(97),
    'nul\0',
    'new\nline',
    'org/name\n',
    'datasets/x',
    'spaces/x',
    '',
    '/',
    'org/',
    '/name',
    '.hidden/name',
    'org/-name',
    'org/name-',
    'a..b',
    'a b',
    'café/x',
    'org\\name',
    './missing',
    '@main',
  ])('A6: %j is no model: 2', (text) => {
    expect(() => parseHubId(text)).toThrow(usage)
  })

  it.each([
    '',
    '../../x',
    'refs/../..',
    'main\n',
    'a?b#c',
    '/abs',
    'a//b',
    'a/./b',
    'end/',
    '-x',
    'a b',
    'x'.repeat(256),
    'main.lock',
    'a@b',
    'a%2e%2e',
  ])('A7: %j is no revision: 2', (revision) => {
    expect(() => parseHubId(`org/name@${revision}`)).toThrow(usage)
  })
})

describe('names that become paths', () => {
  it.each([
    '../evil',
    'a/../../evil',
    '/etc/passwd',
    'C:\\Windows\\evil',
    'D:evil',
    '\\\\host\\share',
    'a\\..\\b',
    'a//b',
    'a/./b',
    '',
    'a/',
    'nul',
    'con.txt',
    'x:stream',
    'dot.',
    'space ',
    'a\0b',
    'a\nb',
  ])('A8: %j is refused', (name) => {
    expect(isSafeFileName(name)).toBe(false)
  })

  it('A6 A7 A8: whatever is accepted stays below the cache', () => {
    const root = resolve('/cache')
    const names = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom('a', '.', '/', '\\', '-', '@', ':', '\0') }),
    )
    fc.assert(
      fc.property(names, names, names, (repo, revision, file) => {
        const paths: string[] = []
        try {
          const cache = repoCache(root, repo)
          paths.push(cache.folder)
          expect(cache.folder.startsWith(`${root}${sep}models--`)).toBe(true)
          for (const make of [
            () => cache.ref(revision),
            () => cache.file('0'.repeat(40), file),
            () => cache.noExist('0'.repeat(40), file),
            () => cache.blob(file),
            () => cache.lock(file),
            () => cache.snapshot(revision),
          ]) {
            try {
              paths.push(make())
            } catch (error) {
              expect(error).toMatchObject({ code: 'config' })
            }
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'config' })
        }
        for (const path of paths) expect(resolve(path).startsWith(root + sep)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  it('parseHubId gives what it gets, or says usage', () => {
    const texts = fc.oneof(fc.string(), fc.stringMatching(/^[\w./@-]{1,20}$/))
    fc.assert(
      fc.property(texts, (text) => {
        try {
          const { repo, revision } = parseHubId(text)
          expect(text === repo || text === `${repo}@${revision}`).toBe(true)
        } catch (error) {
          expect(error).toMatchObject({ code: 'usage' })
        }
      }),
    )
  })
})
