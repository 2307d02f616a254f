/**
 * Where the prompt comes from: files, then stdin, then the words of the command line. A document first and the
 * instruction last, so that the document stays a prefix that can be reused.
 */
import { fstatSync, statfsSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { SpoutError } from '../errors.ts'
import { spoutCacheFolder } from '../system/spout-cache.ts'

interface PromptInput {
  readonly words: readonly string[]
  readonly files: readonly string[]
  /** False with `--no-stdin`. */
  readonly stdinAllowed: boolean
}

interface StdinReading {
  readonly signal: AbortSignal
  /** Told once when stdin is open but silent. */
  readonly onSilence?: (() => void) | undefined
  /** Told how much of stdin stands before the words, if any does. */
  readonly onStdin?: (bytes: number) => void
  /** Told of a pipe that had nothing for the words to be about: what should have filled it has failed, mostly. */
  readonly onEmpty?: (() => void) | undefined
  /** Told, where the prompt begins with what lay in files, what that is. */
  readonly onFiles?: (part: FilePart) => void
}

/** The beginning of a prompt that lay in files. */
export interface FilePart {
  readonly text: string
  /** What stands behind it. */
  readonly rest: string
}

/** What of a prompt lay in files. */
export interface PromptOrigin {
  readonly system?: string | undefined
  readonly prompt?: FilePart | undefined
}

/** More than any context holds; a mistake, or a file of another kind. */
export const MAX_INPUT_BYTES = 8 << 20
const SMALL_FILE_BYTES = 1 << 20
const SILENCE_MS = 2000

/** Where a prompt lies, found without reading any of it. */
export interface PromptSource {
  readonly words: readonly string[]
  readonly files: readonly string[]
  readonly stdin: boolean
}

/**
 * Where the prompt will come from; `undefined` when nothing was given and stdin is a terminal.
 * @throws SpoutError `usage` for what contradicts itself, `not-found` for a stdin that is a folder.
 */
export function findPrompt(input: PromptInput): PromptSource | undefined {
  const words = input.words.filter((word) => word !== '-')
  const files = input.files.filter((file) => file !== '-')
  const asked = words.length < input.words.length || files.length < input.files.length
  if (asked && !input.stdinAllowed)
    throw new SpoutError('usage', '- and --no-stdin: only one of them at a time')
  const source = input.stdinAllowed ? stdinKind() : 'none'
  if (source === 'folder') throw new SpoutError('not-found', 'stdin: it is a folder')
  const given = words.length > 0 || files.length > 0
  if (!given && !asked && source === 'terminal') return undefined
  return { words, files, stdin: asked || (source !== 'terminal' && source !== 'none') }
}

/** @throws SpoutError `data` for bad bytes, `not-found` for a file that cannot be read. */
export async function readPrompt(
  { words, files, stdin }: PromptSource,
  reading: StdinReading,
): Promise<string> {
  const parts: Part[] = []
  for (const file of files) parts.push({ text: await readText(file), isFile: liesOnDisk(file) })
  if (stdin) {
    const isFile = liesOnDisk(STDIN)
    const text = await readStdin(reading)
    if (text !== '' && words.length > 0) reading.onStdin?.(Buffer.byteLength(text))
    if (text === '' && words.length > 0 && fstatSync(0).isFIFO()) reading.onEmpty?.()
    parts.push({ text, isFile })
  }
  if (words.length > 0) parts.push({ text: words.join(' '), isFile: false })
  const said = parts.filter(({ text }) => text !== '')
  tellFiles(said, reading)
  return joined(said)
}

interface Part {
  readonly text: string
  readonly isFile: boolean
}

function joined(parts: readonly Part[]): string {
  return parts.map(({ text }) => text).join('\n\n')
}

function tellFiles(parts: readonly Part[], { onFiles }: StdinReading): void {
  const end = parts.findIndex(({ isFile }) => !isFile)
  const at = end < 0 ? parts.length : end
  if (at > 0) onFiles?.({ text: joined(parts.slice(0, at)), rest: joined(parts.slice(at)) })
}

const STDIN = '/dev/stdin'

/** Whether a text lay on a disk: a pipe and a terminal do not, nor does what a system holds in memory. */
export function liesOnDisk(file: string): boolean {
  try {
    const status = file === STDIN ? fstatSync(0) : statSync(file)
    return status.isFile() && (!IN_MEMORY.has(statfsSync(file).type) || status.dev === cacheDevice())
  } catch {
    return false
  }
}

/** Linux: tmpfs, ramfs, proc, sysfs. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6, 0x9fa0, 0x62656572])

function cacheDevice(): number | undefined {
  return statSync(spoutCacheFolder(process.env), { throwIfNoEntry: false })?.dev
}

function isValid(bytes: Uint8Array, stream = false): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream })
    return true
  } catch {
    return false
  }
}

/** One file as text, without its last newline. */
export async function readText(path: string): Promise<string> {
  let bytes: Buffer
  try {
    const file = await open(path)
    try {
      const status = await file.stat()
      // A stream takes longer to make than a small file to read.
      const isSmall = status.isFile() && status.size < SMALL_FILE_BYTES
      const stream = () => file.createReadStream({ autoClose: false, end: MAX_INPUT_BYTES })
      bytes = isSmall ? await file.readFile() : await collect(stream(), path)
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (cause instanceof SpoutError) throw cause
    throw unreadable(path, cause as NodeJS.ErrnoException)
  }
  return decodeText(bytes, path)
}

/** Why a file cannot be read, as an error of ours. */
export function unreadable(path: string, cause: NodeJS.ErrnoException): Error {
  if (cause.code === 'EMFILE' || cause.code === 'ENFILE') return cause
  const reasons: Record<string, string> = {
    ENOENT: 'not found',
    EISDIR: 'it is a folder',
    EACCES: 'not allowed to read it',
  }
  return new SpoutError('not-found', `${path}: ${reasons[cause.code ?? ''] ?? cause.code ?? cause.message}`, {
    cause,
  })
}

/** All of stdin, where it is something other than a prompt. @throws SpoutError `data`, `usage` on a terminal */
export async function readAllOfStdin(what: string): Promise<string> {
  if (stdinKind() === 'terminal') throw new SpoutError('usage', `${what}: stdin is a terminal`)
  return decodeText(await collect(process.stdin, 'stdin'), 'stdin')
}

async function readStdin({ signal, onSilence }: StdinReading): Promise<string> {
  const heard = onSilence === undefined || fstatSync(0).isFile() ? () => undefined : watchSilence(onSilence)
  const stop = (): void => void process.stdin.destroy()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const bytes = await collect(process.stdin, 'stdin', heard)
    signal.throwIfAborted()
    return decodeText(bytes, 'stdin')
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof SpoutError ? error : unreadable('stdin', error as NodeJS.ErrnoException)
  } finally {
    heard()
    signal.removeEventListener('abort', stop)
  }
}

/**
 * Tells of a stdin that says nothing for a while, unless `heard`, which it gives, is called before. Where this thread was busy,
 * what has come meanwhile is taken first: the turn of the event loop between a timer and an immediate reads what is there.
 */
function watchSilence(onSilence: () => void): () => void {
  let isHeard = false
  const timer = setTimeout(() => setImmediate(() => isHeard || onSilence()), SILENCE_MS)
  return () => {
    isHeard = true
    clearTimeout(timer)
  }
}

async function collect(stream: NodeJS.ReadableStream, name: string, onData?: () => void): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    onData?.()
    chunks.push(chunk as Buffer)
    size += (chunk as Buffer).length
    if (size > MAX_INPUT_BYTES) {
      throw new SpoutError('data', `${name}: longer than ${MAX_INPUT_BYTES >> 20} MiB`, {
        hint: `head -c 1M ${name === 'stdin' ? '' : name}`.trim(),
      })
    }
  }
  return Buffer.concat(chunks)
}

/**
 * Text of bytes that must be UTF-8; a byte order mark goes, and one newline at the end.
 * @param offset where the bytes begin in what `name` holds
 * @throws SpoutError `data`.
 */
export function decodeText(bytes: Uint8Array, name: string, offset = 0): string {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new SpoutError('data', `${name}: it is UTF-16, not UTF-8`, {
      hint: `iconv -f UTF-16 -t UTF-8 ${name === 'stdin' ? '' : name}`.trim(),
    })
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '')
  } catch (cause) {
    throw new SpoutError('data', `${name}: not UTF-8 at byte ${offset + firstBadByte(bytes)}`, {
      hint: `iconv -f LATIN1 -t UTF-8 ${name === 'stdin' ? '' : name}`.trim(),
      cause,
    })
  }
}

/** Offset of the first byte that no UTF-8 text has there: what a lossy decoder keeps before it is valid. */
function firstBadByte(bytes: Uint8Array): number {
  let low = 0
  let high = bytes.length
  // The longest prefix that a streaming decoder accepts.
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (isValid(bytes.subarray(0, middle), true)) low = middle
    else high = middle - 1
  }
  return lastCharacterStart(bytes, low)
}

/** A sequence that began well but does not go on is reported where it began. */
function lastCharacterStart(bytes: Uint8Array, end: number): number {
  let start = end
  while (start > Math.max(0, end - 3) && !isValid(bytes.subarray(0, start))) start--
  return start
}

type StdinKind = 'terminal' | 'pipe' | 'folder' | 'none'

function stdinKind(): StdinKind {
  if (process.stdin.isTTY) return 'terminal'
  try {
    return fstatSync(0).isDirectory() ? 'folder' : 'pipe'
  } catch {
    return 'none'
  }
}
