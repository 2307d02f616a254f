/**
 * A prepared tokenizer as a file: six words, a header as JSON, and the rows of its tables in the byte order of the machine.
 * The rows are checked as a whole when the file is opened, and read by pages when they are used: a prompt of some lines needs
 * a few hundred kilobytes of several million.
 */
import { type BpeArrays, type BpeModel, tablesOf } from './bpe-model.ts'
import type { BpeTables } from './bpe-tables.ts'
import { checksum } from './checksum.ts'
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

export interface Body {
  readonly rows: Readonly<Record<keyof BpeTables, Row>>
  readonly bytes: Uint8Array
}

/** Where a row lies in the body: in bytes, and how many numbers it has. */
interface Row {
  readonly at: number
  readonly length: number
  readonly width: 2 | 4
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
const PRELUDE = 24
const PAGE_BYTES = 4096
const CHUNK_BYTES = 65_536

/** The rows one behind the other, each from a multiple of a page. */
export function layOut(arrays: BpeArrays): Body {
  let at = 0
  const entries = Object.entries(arrays).map(([name, array]: [string, NumberArray]) => {
    const row = { at, length: array.length, width: array.BYTES_PER_ELEMENT }
    at = upToPage(at + array.byteLength)
    return { name, row, array }
  })
  const bytes = new Uint8Array(at)
  for (const { row, array } of entries)
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), row.at)
  return { rows: Object.fromEntries(entries.map(({ name, row }) => [name, row])) as Body['rows'], bytes }
}

export function composeFile(facts: PreparedFacts, { rows, bytes }: Body): Uint8Array {
  const json = Buffer.from(JSON.stringify({ ...facts, rows }))
  const start = upToPage(PRELUDE + json.length)
  const file = new Uint8Array(start + bytes.length)
  const header = file.subarray(PRELUDE, start).fill(0x20)
  header.set(json)
  file.set(bytes, start)
  const words = [MAGIC, VERSION, header.length, checksum(header), bytes.length, checksum(bytes)]
  new Uint32Array(file.buffer, 0, words.length).set(words)
  return file
}

function upToPage(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES
}

/**
 * @returns `undefined` for a file that is damaged, cut short, or of another version or kind of machine.
 * @throws what the file system says.
 */
export function openPreparedFile(path: string): OpenedFile | undefined {
  const reader = openReader(path)
  const prelude = new Uint32Array(PRELUDE / 4)
  reader.read(prelude, 0)
  const [magic, version, headerBytes, headerSum, bodyBytes, bodySum] = prelude
  const start = PRELUDE + headerBytes!
  if (magic !== MAGIC || version !== VERSION || start + bodyBytes! !== reader.size) return undefined
  const header = new Uint8Array(headerBytes!)
  reader.read(header, PRELUDE)
  if (checksum(header) !== headerSum || checksumFrom(reader, start) !== bodySum) return undefined
  const { rows, ...facts } = JSON.parse(new TextDecoder().decode(header)) as PreparedFacts &
    Pick<Body, 'rows'>
  return {
    facts,
    tables: tablesOf(rows, (row) => pagedRow(reader, start, row)),
    readBody() {
      const bytes = new Uint8Array(bodyBytes!)
      reader.read(bytes, start)
      return { rows, bytes }
    },
  }
}

/** Through memory that is used again and again: fresh memory costs more than reading. */
function checksumFrom(reader: Reader, start: number): number {
  const chunk = new Uint8Array(CHUNK_BYTES)
  let sum = 0
  for (let at = start; at < reader.size; at += CHUNK_BYTES) {
    const part = chunk.subarray(0, Math.min(CHUNK_BYTES, reader.size - at))
    reader.read(part, at)
    sum = checksum(part, sum)
  }
  return sum
}

function pagedRow(reader: Reader, start: number, { at, length, width }: Row): Numbers {
  const shift = width === 2 ? 11 : 10
  const size = 1 << shift
  return Numbers.paged(length, shift, (page) => {
    const count = Math.min(size, length - page * size)
    const array = width === 2 ? new Uint16Array(count) : new Int32Array(count)
    reader.read(array, start + at + page * PAGE_BYTES)
    return array
  })
}
