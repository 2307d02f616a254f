/**
 * Draws docs/rooms.svg: the rooms of src/ by their imports, types included. A room stands above all that it imports, so an
 * arrow that ran upwards, or in a circle, could not be drawn: then this fails. An arrow is left out where a longer way leads to
 * the same room.
 *
 *     node docs/make/rooms-svg.mjs            writes it
 *     node docs/make/rooms-svg.mjs --check    only says whether it is up to date
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')
const SRC = join(ROOT, 'src')
const FILE = join(ROOT, 'docs/rooms.svg')
/** Imported everywhere, so that they say nothing in a picture. */
const EVERYWHERE = new Set(['errors.ts', 'trace.ts'])
const IMPORT = /^(?:import|export)\b[^'"`;]*?from\s+'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'/gm

const [WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN] = [136, 36, 20, 46, 16]

export function drawRooms() {
  const edges = readRooms()
  const heights = heightsOf(edges)
  const places = placesOf(heights)
  const width = Math.max(...[...places.values()].map(({ x }) => x)) + WIDTH + MARGIN
  const height = Math.max(...[...places.values()].map(({ y }) => y)) + HEIGHT + MARGIN
  const arrows = shortest(edges).map(([from, to]) => arrow(places.get(from), places.get(to)))
  const boxes = [...places].map(([room, place]) => box(room, place))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="system-ui, sans-serif">`,
    `<title>Rooms of src/ and what they import</title><rect width="100%" height="100%" fill="#ffffff"/>`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#5b6b7b"/></marker></defs>',
    ...arrows,
    ...boxes,
    '</svg>\n',
  ].join('\n')
}

/** What each room imports. */
function readRooms() {
  const edges = new Map()
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).map((file) =>
    file.replaceAll('\\', '/'),
  )
  for (const file of files.filter((name) => name.endsWith('.ts') && !EVERYWHERE.has(name)).sort()) {
    const text = readFileSync(join(SRC, file), 'utf8')
    const room = roomOf(file)
    if (!edges.has(room)) edges.set(room, new Set())
    for (const [, named, lazy] of text.matchAll(IMPORT)) {
      const to = relative(SRC, resolve(SRC, dirname(file), named ?? lazy)).replaceAll('\\', '/')
      if (roomOf(to) !== room && !EVERYWHERE.has(to)) edges.get(room).add(roomOf(to))
    }
  }
  return edges
}

const roomOf = (file) => file.split('/')[0]

/** 0 for a room that imports nothing, else one more than the highest that it imports. @throws Error for a circle. */
function heightsOf(edges) {
  const heights = new Map()
  const visit = (room, path) => {
    if (path.includes(room)) throw new Error(`rooms import in a circle: ${[...path, room].join(' → ')}`)
    if (!heights.has(room)) {
      const below = [...(edges.get(room) ?? [])].map((each) => visit(each, [...path, room]))
      heights.set(room, 1 + Math.max(-1, ...below))
    }
    return heights.get(room)
  }
  for (const room of edges.keys()) visit(room, [])
  return heights
}

function placesOf(heights) {
  const most = Math.max(...heights.values())
  const rows = Array.from({ length: most + 1 }, (_, i) =>
    [...heights].flatMap(([room, height]) => (height === most - i ? [room] : [])).sort(),
  )
  const widest = Math.max(...rows.map((row) => row.length))
  return new Map(
    rows.flatMap((row, y) => {
      const left = MARGIN + ((widest - row.length) * (WIDTH + GAP_X)) / 2
      return row.map((room, x) => [room, { x: left + x * (WIDTH + GAP_X), y: MARGIN + y * (HEIGHT + GAP_Y) }])
    }),
  )
}

/** Imports without those to which a longer way leads as well. */
function shortest(edges) {
  const reaches = (from, to) => [...(edges.get(from) ?? [])].some((each) => each === to || reaches(each, to))
  // In order of names: which file names a room first is no part of the picture.
  return [...edges]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([from, below]) =>
      [...below]
        .sort()
        .filter((to) => ![...below].some((other) => other !== to && reaches(other, to)))
        .map((to) => [from, to]),
    )
}

function arrow(from, to) {
  const [x1, y1, x2, y2] = [from.x + WIDTH / 2, from.y + HEIGHT, to.x + WIDTH / 2, to.y]
  const bend = Math.min(60, (y2 - y1) / 2)
  return `<path d="M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}" fill="none" stroke="#5b6b7b" stroke-width="1.2" marker-end="url(#tip)"/>`
}

function box(room, { x, y }) {
  const middle = x + WIDTH / 2
  return [
    `<rect x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="6" fill="#eef3f8" stroke="#5b6b7b"/>`,
    `<text x="${middle}" y="${y + HEIGHT / 2 + 5}" text-anchor="middle" font-size="14" fill="#17202a">${room}</text>`,
  ].join('')
}

if (process.argv[1] === import.meta.filename) {
  const svg = drawRooms()
  if (!process.argv.includes('--check')) writeFileSync(FILE, svg)
  else if (readFileSync(FILE, 'utf8') !== svg) {
    console.error('not up to date: docs/rooms.svg; node docs/make/rooms-svg.mjs')
    process.exitCode = 1
  }
}
