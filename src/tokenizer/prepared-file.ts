/**
 * A prepared tokenizer as a file: five words, a header as JSON, a checksum for each page, and the pages with the rows of the
 * tables, in the byte order of the machine. A page is read, and checked, when it is first used: a prompt of some lines needs
 * a few hundred kilobytes of several million.
 */
import { type BpeArrays, type BpeModel, tablesOf } from './bpe-model.ts'
import type { BpeTables } from './bpe-tables.ts'
import { type NumberArray, Numbers } from './numbers.ts'
import { openReader, type Reader } from './reader.ts'
import type { Source } from './source-file.ts'
import type { TokenizerSteps } from './tokenizer-json.ts'

/** All that is not a row of numbers. */
export interface PreparedFacts extends Pick<BpeModel, 'rules' | 'shape'> {
  readonly source: Source
  readonly steps: TokenizerSteps
  readonly leftOut: readonly string[]
}

type RowName = keyof BpeTables

/** Where a row begins, and how many numbers of how many bytes it has. */
interface Row {
  readonly page: number
  readonly length: number
  readonly width: 2 | 4
}

/** The rows one behind the other, each from the beginning of a page. */
export interface Body {
  readonly rows: Readonly<Record<RowName, Row>>
  readonly bytes: Uint8Array
  /** Of each page. */
  readonly sums: Int32Array
}

export interface OpenedFile {
  readonly facts: PreparedFacts
  readonly tables: BpeTables
  /** All of it, to be written anew. */
  readBody(): Body
}

/** Read in the other byte order it is another number. */
const MAGIC = 0x53504f54
/** Changes with the format, and with what tokenizer.json is checked for. */
const VERSION = 1
const PRELUDE = 20
const PAGE = 4096

export function layOut(arrays: BpeArrays): Body {
  let page = 0
  const entries = Object.entries(arrays).map(([name, array]: [string, NumberArray]) => {
    const row = { page, length: array.length, width: array.BYTES_PER_ELEMENT }
    page += pagesOf(array.byteLength)
    return { name, row, array }
  })
  const bytes = new Uint8Array(page * PAGE)
  for (const { row, array } of entries)
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), row.page * PAGE)
  const sums = Int32Array.from({ length: page }, (_, i) =>
    checksum(new Int32Array(bytes.buffer, i * PAGE, PAGE / 4), i),
  )
  return {
    rows: Object.fromEntries(entries.map(({ name, row }) => [name, row])) as Body['rows'],
    bytes,
    sums,
  }
}

function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE)
}

export function composeFile(facts: PreparedFacts, { rows, bytes, sums }: Body): Uint8Array {
  const json = Buffer.from(JSON.stringify({ ...facts, rows }))
  const start = PAGE * pagesOf(PRELUDE + json.length + 3 + sums.byteLength)
  const file = new Uint8Array(start + bytes.length)
  const header = new Int32Array(file.buffer, PRELUDE, (start - PRELUDE) / 4)
  file.fill(0x20, PRELUDE, start).set(json, PRELUDE)
  header.set(sums, header.length - sums.length)
  file.set(bytes, start)
  new Int32Array(file.buffer, 0, PRELUDE / 4).set([
    MAGIC,
    VERSION,
    start,
    sums.length,
    checksum(header, sums.length),
  ])
  return file
}

/**
 * Opens a file and reads all but the pages.
 * @param restore makes the arrays once more that the file was made of: asked when a page turns out to be damaged.
 * @returns `undefined` for a file that is damaged, cut short, or of another version or kind of machine.
 * @throws what the file system says.
 */
export function openPreparedFile(path: string, restore: Restore): OpenedFile | undefined {
  const reader = openReader(path)
  const prelude = new Int32Array(PRELUDE / 4)
  reader.read(prelude, 0)
  const [magic, version, start, pages, sum] = prelude as unknown as [number, number, number, number, number]
  if (magic !== MAGIC || version !== VERSION || start + pages * PAGE !== reader.size) return undefined
  const header = new Int32Array((start - PRELUDE) / 4)
  reader.read(header, PRELUDE)
  if (checksum(header, pages) !== sum) return undefined
  const sums = header.subarray(header.length - pages)
  const json = new TextDecoder().decode(header.subarray(0, header.length - pages))
  const { rows, ...facts } = JSON.parse(json) as PreparedFacts & Pick<Body, 'rows'>
  return {
    facts,
    tables: openRows({ reader, start, sums, rows, restore: () => restore(facts) }),
    readBody() {
      const bytes = new Uint8Array(pages * PAGE)
      reader.read(bytes, start)
      return { rows, bytes, sums }
    },
  }
}

type Restore = (facts: PreparedFacts) => BpeArrays

interface Pages extends Pick<Body, 'rows' | 'sums'> {
  readonly reader: Reader
  /** Where the first page lies, in bytes. */
  readonly start: number
  readonly restore: () => BpeArrays
}

function openRows({ reader, start, sums, rows, restore }: Pages): BpeTables {
  let restored: BpeArrays | undefined
  const readPage = (page: number): Int32Array | undefined => {
    const words = new Int32Array(PAGE / 4)
    const isWhole = reader.tryRead(words, start + page * PAGE) && checksum(words, page) === sums[page]
    return isWhole ? words : undefined
  }
  return tablesOf(rows, ({ page: first, length, width }, name) =>
    Numbers.paged(length, Math.log2(PAGE / width), (page) => {
      const words = restored === undefined ? readPage(first + page) : undefined
      if (words !== undefined) return width === 2 ? new Uint16Array(words.buffer) : words
      restored ??= restore()
      const count = PAGE / width
      return restored[name].subarray(page * count, (page + 1) * count)
    }),
  )
}

/**
 * A word that differs makes another sum, always: each step can be undone. Several do with 2⁻³².
 * @param seed so that equal pages at different places have different sums.
 */
function checksum(words: Int32Array, seed: number): number {
  let sum = Math.imul(seed + 1, 0x9e3779b1)
  for (let i = 0; i < words.length; i++) {
    sum = Math.imul(sum ^ words[i]!, 0x9e3779b1)
    sum ^= sum >>> 15
  }
  return sum
}
