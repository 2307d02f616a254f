/** The shards of a batch as one output: every record once, in order, or the name of what is missing. */
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { SpoutError } from '../errors.ts'
import { quote } from '../system/text-display.ts'
import { CsvReader, type Delimiter } from './csv.ts'
import { readJournal, type Settings } from './journal-entries.ts'
import { SIDE_FILES, statusOf } from './journal-files.ts'
import type { OutputFormat } from './output-format.ts'
import { refuseOthers } from './settings-differ.ts'
import { parseShard, type Shard } from './shard.ts'

interface ShardFile {
  readonly path: string
  readonly shard: Shard
  readonly records: number
  readonly failed: number
  readonly format: OutputFormat
  readonly settings: Settings
  readonly model: Settings | undefined
}

/** The outputs that are meant by `OUT.*`: what lies beside them is theirs. */
function outputsAmong(paths: readonly string[]): string[] {
  const suffixes = Object.values(SIDE_FILES)
  const outputs = paths.map((path) => {
    const suffix = suffixes.find((each) => path.endsWith(each) && paths.includes(path.slice(0, -each.length)))
    return suffix === undefined ? path : undefined
  })
  // One of which only the beginning is there is one of them.
  const begun = outputs.flatMap((path) => {
    const suffix = suffixes.find((each) => path?.endsWith(each))
    return path === undefined ? [] : [suffix === undefined ? path : path.slice(0, -suffix.length)]
  })
  return [...new Set(begun)]
}

/**
 * The shards, in their order.
 * @throws SpoutError `try-later` while one is not finished, `data` when one is missing, or they do not belong together.
 */
export function findShards(paths: readonly string[]): ShardFile[] {
  const files = outputsAmong(paths).map(readShard)
  const [first] = files
  if (first === undefined)
    throw new SpoutError('usage', 'merge: no file is named', { hint: 'spout batch merge OUT.*' })
  const { count } = first.shard
  const found: (ShardFile | undefined)[] = Array.from({ length: count })
  for (const file of files) {
    refuseOthers(file.path, { ...first.settings, shard: '' }, { ...file.settings, shard: '' })
    // A shard without a line has loaded none.
    if (first.model !== undefined && file.model !== undefined)
      refuseOthers(file.path, first.model, file.model)
    if (file.shard.count !== count) throw clash(file, first)
    const other = found[file.shard.index]
    if (other !== undefined) throw clash(file, other)
    found[file.shard.index] = file
  }
  const missing = found.flatMap((file, i) => (file === undefined ? [i] : []))
  if (missing.length > 0) {
    throw new SpoutError('data', `merge: of ${count} shards ${listed(missing)} missing`, {
      hint: 'name the outputs of all of them',
    })
  }
  checkCounts(found as ShardFile[])
  return found as ShardFile[]
}

function clash(a: ShardFile, b: ShardFile): SpoutError {
  const [one, other] = [a, b].map(({ path, shard }) => `${quote(path, 200)} is ${shard.index}/${shard.count}`)
  return new SpoutError('data', `merge: ${one}, and ${other}`, { hint: 'the shards of one run, each once' })
}

function listed(numbers: readonly number[]): string {
  const shown = numbers.slice(0, 20).join(', ') + (numbers.length > 20 ? ', …' : '')
  return numbers.length === 1 ? `number ${shown} is` : `numbers ${shown} are`
}

function readShard(path: string): ShardFile {
  if (statusOf(`${path}${SIDE_FILES.partial}`) !== undefined) {
    throw new SpoutError('try-later', `merge: ${quote(path, 200)} is not finished`, {
      hint: 'the command that writes it goes on with it',
    })
  }
  const size = statusOf(path)?.size
  if (size === undefined) throw new SpoutError('not-found', `merge: ${quote(path, 200)}: not found`)
  const state = readJournal(`${path}${SIDE_FILES.journal}`, { size, ordered: true })
  if (state?.finished === undefined) {
    throw new SpoutError('data', `merge: ${quote(path, 200)}: its journal is not beside it`, {
      hint: `${path}${SIDE_FILES.journal} tells which shard it is, and whether it is whole`,
    })
  }
  if (state.finished.to !== size) {
    throw new SpoutError('data', `merge: ${quote(path, 200)} has been changed since it was written`)
  }
  const { settings } = state
  if (settings.order !== 'input') {
    throw new SpoutError('data', `merge: ${quote(path, 200)} was written with --unordered: its order is lost`)
  }
  return {
    path,
    shard: parseShard(String(settings.shard), {}),
    records: state.finished.records,
    failed: state.failed,
    format: settings.output as OutputFormat,
    settings,
    model: state.model,
  }
}

/** Records are dealt out one by one: no shard has more than one before it, nor fewer than one after it. */
function checkCounts(files: readonly ShardFile[]): void {
  const most = files[0]!.records
  const all = files.reduce((sum, { records }) => sum + records, 0)
  for (const { path, shard, records } of files) {
    const due = Math.ceil((all - shard.index) / shard.count)
    if (records === due && records <= most) continue
    throw new SpoutError('data', `merge: ${quote(path, 200)} has ${records} records, and ${due} are due`, {
      hint: 'shards of one and the same input belong together',
    })
  }
}

/**
 * The text of the whole, in pieces.
 * @throws SpoutError `data` when a file ends too soon.
 */
export function* mergeShards(files: readonly ShardFile[]): Generator<string, void, void> {
  const readers = files.map((file) => new OutputReader(file))
  try {
    const [head] = readers.map((reader) => reader.head())
    if (head !== undefined) yield head
    const all = files.reduce((sum, { records }) => sum + records, 0)
    for (let index = 0; index < all; index++) yield readers[index % readers.length]!.next()
  } finally {
    for (const reader of readers) reader.close()
  }
}

const CHUNK = 1 << 16
const LF = 10

/** Outputs of records out of a file: lines, or rows of several. */
class OutputReader {
  readonly #file: number
  readonly #path: string
  readonly #delimiter: Delimiter | undefined
  #held = Buffer.alloc(0)

  constructor({ path, format }: ShardFile) {
    this.#path = path
    this.#file = openSync(path, 'r')
    this.#delimiter = format === 'csv' ? ',' : format === 'tsv' ? '\t' : undefined
  }

  /** The row of names, where there is one. */
  head(): string | undefined {
    return this.#delimiter === undefined || statSync(this.#path).size === 0 ? undefined : this.next()
  }

  next(): string {
    if (this.#delimiter === undefined) return this.#line()
    const row = new CsvReader(this.#delimiter)
    let text = ''
    do {
      const line = this.#line()
      text += line
      row.push(line.slice(0, -1), '\n')
    } while (row.isOpen)
    return text
  }

  close(): void {
    closeSync(this.#file)
  }

  #line(): string {
    let end = this.#held.indexOf(LF)
    while (end < 0) {
      const chunk = Buffer.alloc(CHUNK)
      const read = readSync(this.#file, chunk)
      if (read === 0) throw new SpoutError('data', `merge: ${quote(this.#path, 200)} ends too soon`)
      const before = this.#held.length
      this.#held = Buffer.concat([this.#held, chunk.subarray(0, read)])
      end = this.#held.indexOf(LF, before)
    }
    const line = this.#held.toString('utf8', 0, end + 1)
    this.#held = this.#held.subarray(end + 1)
    return line
  }
}
