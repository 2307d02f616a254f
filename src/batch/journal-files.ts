/** The two files of an output under way: what is written of it, and the journal that says what that is. */
import {
  closeSync,
  fchmodSync,
  fdatasync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs'
import { SpoutError } from '../errors.ts'
import { isDiskFull } from '../system/disk-full.ts'
import { quote } from '../system/text-display.ts'
import { UnfinishedFile } from '../system/write-whole.ts'
import { type JournalEntry, journalLines } from './journal-entries.ts'

/** What is beside an output. */
export const SIDE_FILES = { partial: '.partial', journal: '.journal', lock: '.lock' } as const

/** After so long, what was written is made safe from a loss of power. */
const SYNC_MS = 5_000
const COPY_BYTES = 1 << 20

export interface FilePlace {
  /** Where the output will be, its links followed. */
  readonly path: string
  /** As messages call it. */
  readonly name: string
}

export class JournalFiles {
  readonly #place: FilePlace
  readonly #data: number
  readonly #log: number
  #dataBytes: number
  #logBytes: number
  #syncedAt = performance.now()

  /**
   * @param bytes how much of either counts; the rest is cut off
   * @throws SpoutError `output`
   */
  constructor(place: FilePlace, bytes: { readonly data: number; readonly log: number }) {
    this.#place = place
    this.#dataBytes = bytes.data
    this.#logBytes = bytes.log
    const { path } = place
    ;[this.#data, this.#log] = this.#told(() => [
      openCut(`${path}${SIDE_FILES.partial}`, bytes.data),
      openCut(`${path}${SIDE_FILES.journal}`, bytes.log),
    ])
  }

  /** Bytes of the output so far. */
  get size(): number {
    return this.#dataBytes
  }

  /** Adds to the output. */
  append(text: string): void {
    const bytes = Buffer.from(text)
    this.#told(() => writeAt(this.#data, bytes, this.#dataBytes))
    this.#dataBytes += bytes.length
  }

  /** Adds a part of another file to the output. */
  copy(source: number, from: number, to: number): void {
    const chunk = Buffer.alloc(Math.min(COPY_BYTES, to - from))
    for (let at = from; at < to; ) {
      const read = readSync(source, chunk, 0, Math.min(chunk.length, to - at), at)
      if (read === 0) throw new SpoutError('data', `${quote(this.#place.name, 200)}: it has become shorter`)
      this.#told(() => writeAt(this.#data, chunk.subarray(0, read), this.#dataBytes))
      this.#dataBytes += read
      at += read
    }
  }

  /** Says what was written. */
  note(entry: JournalEntry): void {
    const bytes = Buffer.from(`${JSON.stringify(entry)}\n`)
    this.#told(() => writeAt(this.#log, bytes, this.#logBytes))
    this.#logBytes += bytes.length
    if (performance.now() - this.#syncedAt < SYNC_MS) return
    this.#syncedAt = performance.now()
    // In this order, so that the journal speaks of nothing that is not there. What fails here fails at the end, too.
    fdatasync(this.#data, () => fdatasync(this.#log, () => undefined))
  }

  /** The output takes its name, with the permissions of the file that had it. The journal keeps what still matters. */
  commit(last: JournalEntry): void {
    const { path } = this.#place
    this.#told(() => {
      const old = statusOf(path)
      if (old !== undefined) fchmodSync(this.#data, old.mode & 0o7777)
      fsyncSync(this.#data)
      this.note(last)
      fsyncSync(this.#log)
      renameSync(`${path}${SIDE_FILES.partial}`, path)
      rewriteJournal(path, lastingLines(path))
    })
  }

  close(): void {
    for (const file of [this.#data, this.#log]) {
      try {
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
    }
  }

  #told<T>(act: () => T): T {
    try {
      return act()
    } catch (cause) {
      throw unwritable(this.#place.name, cause)
    }
  }
}

/** As where any other output cannot be written. */
export function unwritable(name: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException
  if (cause instanceof SpoutError || code === undefined) return cause
  return new SpoutError('output', `${quote(name, 200)}: cannot be written: ${code}`, {
    hint: isDiskFull(cause) ? 'free some space; the same command then goes on' : 'write elsewhere',
    cause,
  })
}

/** Replaces a journal as a whole. */
export function rewriteJournal(path: string, lines: Iterable<string>): void {
  const file = new UnfinishedFile(`${path}${SIDE_FILES.journal}`)
  try {
    for (const line of lines) file.write(`${line}\n`)
    file.commit()
  } catch (cause) {
    file.discard()
    throw cause
  }
}

/** What is worth keeping of a journal once all is done: settings, what failed, the end. */
function* lastingLines(path: string): Generator<string, void, void> {
  for (const { entry, text } of journalLines(`${path}${SIDE_FILES.journal}`)) {
    const isFailed = 'at' in entry && entry.from !== undefined
    if ('spout_batch' in entry || 'model' in entry || 'finished' in entry || isFailed) yield text
  }
}

export function removeSideFiles(path: string): void {
  for (const kind of ['partial', 'journal'] as const) rmSync(`${path}${SIDE_FILES[kind]}`, { force: true })
}

export function statusOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false })
}

function openCut(path: string, bytes: number): number {
  const file = openSync(path, statusOf(path) === undefined ? 'wx+' : 'r+')
  ftruncateSync(file, bytes)
  return file
}

function writeAt(file: number, bytes: Uint8Array, start: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, bytes.length - done, start + done)
  }
}
