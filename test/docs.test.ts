/** What the documents say of the sources is there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { drawRooms } from '../docs/make/rooms-svg.mjs'

const ROOT = resolve(import.meta.dirname, '..')
const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'examples/README.md',
  ...readdirSync(join(ROOT, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
]
const textOf = (document: string): string => readFileSync(join(ROOT, document), 'utf8')

test('the picture of the rooms is that of the imports: node docs/make/rooms-svg.mjs', () => {
  expect(textOf('docs/rooms.svg')).toBe(drawRooms())
})

test.each(DOCUMENTS)('%s names only files that are there', (document) => {
  const named = textOf(document).matchAll(/`((?:src|test|docs|fixtures)\/[\w./-]+)`/g)
  const gone = Array.from(named, ([, path]) => path!).filter((path) => !existsSync(join(ROOT, path)))
  expect(gone).toEqual([])
})

test.each(DOCUMENTS)('%s links only to documents that are there', (document) => {
  const folder = join(ROOT, document, '..')
  const links = textOf(document).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)
  const gone = Array.from(links, ([, path]) => path!).filter((path) => !existsSync(join(folder, path)))
  expect(gone).toEqual([])
})

test('the architecture tells of every room, and its ways lead through files that are there', () => {
  const page = textOf('docs/architecture.md')
  const rooms = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  )
  const table = page.split('\n').filter((line) => line.startsWith('| `'))
  const untold = rooms.filter((room) => !table.some((line) => line.split('|')[1]!.includes(`\`${room}/\``)))
  expect(untold).toEqual([])

  const ways = Array.from(page.matchAll(/^```\n([\s\S]*?)^```/gm), ([, block]) => block!).join('')
  const named = Array.from(
    ways.matchAll(new RegExp(`\\b(?:${rooms.join('|')})/[\\w./-]*`, 'g')),
    ([path]) => path,
  )
  expect(named.length).toBeGreaterThan(10)
  const exists = (path: string) => ['', '.ts'].some((end) => existsSync(join(ROOT, 'src', `${path}${end}`)))
  expect(named.filter((path) => !exists(path))).toEqual([])
})
