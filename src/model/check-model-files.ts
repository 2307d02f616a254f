import { readSync, realpathSync, type Stats, statSync } from 'node:fs'
import { totalmem } from 'node:os'
import { basename, dirname, join, sep } from 'node:path'
import { SpoutError } from '../errors.ts'
import { type ExternalTensor, type OnnxFacts, readOnnxFacts } from '../onnx-file/onnx-facts.ts'
import { withFile } from '../system/file-handle.ts'
import { statusOf } from '../system/list-files.ts'
import { quote } from '../system/text-display.ts'
import { isSafeFileName } from './model-id.ts'
import type { ResolvedModel } from './resolved-model.ts'

// What is wrong with a model's files is found before a session is made of them: the runtime's own errors name neither
// the cause nor the cure, and it opens whatever path a graph names. Only first bytes, lengths and the table of
// tensors are read.

/** A graph whose weights lie in more files than this is not believed. */
const MOST_DATA_FILES = 100

export interface CheckOptions {
  /** Bytes of memory of this machine. */
  readonly memory?: number | undefined
  /** What to type to get the files again. */
  readonly repair?: string | undefined
}

/** A file of a model that cannot be used. */
export class BrokenFile extends SpoutError {
  readonly path: string
  constructor(
    path: string,
    detail: string,
    { repair, cause }: { repair?: string | undefined; cause?: unknown },
  ) {
    const hint = repair ?? 'fetch the file again, or take another dtype with --dtype'
    super('config', `${basename(path)}: ${detail}`, { hint, cause })
    this.path = path
  }
}

/**
 * Throws `config` naming the file that is damaged, missing, no regular file or outside the model's folder, and `os` where
 * the weights are larger than the memory. Returns the bytes of graph and weights.
 */
export function checkModelFiles(
  model: Pick<ResolvedModel, 'folder' | 'onnxPath'>,
  options: CheckOptions = {},
) {
  const { onnxPath } = model
  const roots = allowedRoots(onnxPath)
  for (const name of ['config.json', 'genai_config.json', 'tokenizer.json']) {
    checkSideFile(join(model.folder, name), { ...options, roots: roots.cached })
  }
  const { size } = regularFile(onnxPath, options)
  checkFirstBytes(onnxPath, size, options)
  if (roots.cached) checkInside(onnxPath, roots.cached)
  const facts = factsOf(onnxPath, options)
  const bytes = size + checkExternalData(onnxPath, facts.externalTensors, { ...options, roots: roots.all })
  checkMemory(onnxPath, bytes, options.memory ?? totalmem())
  return bytes
}

function checkMemory(onnxPath: string, bytes: number, memory: number): void {
  if (bytes <= memory) return
  throw new SpoutError('os', `${basename(onnxPath)}: ${bytes} bytes of weights, the memory has ${memory}`, {
    hint: '--dtype q4, or a smaller model',
  })
}

/** The facts read last, and of which file: a model's are asked for more than once while it is found. */
let known: { readonly key: string; readonly facts: OnnxFacts } | undefined

/** The facts of a graph. Throws `config` where it is no ONNX graph or is cut off. */
export function factsOf(onnxPath: string, options: CheckOptions = {}): OnnxFacts {
  const { size, mtimeMs, ino } = regularFile(onnxPath, options)
  const key = `${onnxPath}\0${size} ${mtimeMs} ${ino}`
  if (known?.key === key) return known.facts
  try {
    const facts = readOnnxFacts(onnxPath, size)
    known = { key, facts }
    return facts
  } catch (cause) {
    if (!(cause instanceof SpoutError)) throw cause
    throw new BrokenFile(onnxPath, `cut off or not an ONNX graph (${size} bytes)`, { ...options, cause })
  }
}

/** The distinct files a graph's tensors lie in, relative to its folder. Throws `config` for an unsafe or too many. */
export function dataFiles(onnxPath: string, tensors: readonly ExternalTensor[]): string[] {
  const names = [...new Set(tensors.map((tensor) => withoutDot(tensor.location)))]
  const unsafe = names.find((name) => !isSafeFileName(name))
  if (unsafe !== undefined) {
    throw new BrokenFile(onnxPath, `its weights are said to lie in ${quote(unsafe)}, outside its folder`, {})
  }
  if (names.length > MOST_DATA_FILES) {
    throw new BrokenFile(onnxPath, `${names.length} files of weights, more than ${MOST_DATA_FILES}`, {})
  }
  return names
}

interface RootedOptions extends CheckOptions {
  /** The folders a file may really lie in. */
  readonly roots: readonly string[] | undefined
}

/** Bytes of the files that hold the tensors, each checked to be there, inside and long enough. */
function checkExternalData(
  onnxPath: string,
  tensors: readonly ExternalTensor[],
  options: RootedOptions,
): number {
  const folder = dirname(onnxPath)
  const sizes = new Map<string, number>()
  for (const name of dataFiles(onnxPath, tensors)) {
    const path = join(folder, name)
    sizes.set(name, regularFile(path, options).size)
    checkInside(path, options.roots!)
  }
  for (const tensor of tensors) {
    const name = withoutDot(tensor.location)
    const end = endOf(tensor, onnxPath)
    const size = sizes.get(name)!
    if (end > size)
      throw new BrokenFile(join(folder, name), `cut off: ${size} bytes of at least ${end}`, options)
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0)
}

/** Where a tensor's bytes end in their file. */
function endOf({ offset, length = 0 }: ExternalTensor, onnxPath: string): number {
  if (offset >= 0 && length >= 0 && Number.isSafeInteger(offset + length)) return offset + length
  throw new BrokenFile(onnxPath, `a tensor of ${length} bytes at ${offset}`, {})
}

/** Some exporters write `./weights` for `weights`. */
function withoutDot(location: string): string {
  return location.replace(/^(?:\.\/)+/, '')
}

function checkInside(path: string, roots: readonly string[]): void {
  const real = realpathSync.native(path)
  if (roots.some((root) => real.startsWith(root + sep))) return
  throw new BrokenFile(path, "a link that leads outside the model's folder", {
    repair: 'remove the link, or put the file itself there',
  })
}

/** Where a model's files may lie: below the graph's folder, or where the hub cache keeps the bytes of that folder. */
function allowedRoots(onnxPath: string): { all: string[]; cached: string[] | undefined } {
  const folder = dirname(onnxPath)
  const [, root, repo] =
    /^(.*)[\\/](models--[^\\/]+)[\\/]snapshots[\\/][0-9a-f]{40}(?:[\\/]|$)/.exec(folder) ?? []
  if (root !== undefined && repo !== undefined) {
    // Also where `blobs` leads: it may lie on another disk.
    const cached = [join(root, repo), join(root, repo, 'blobs'), join(root, 'blobs')].flatMap(realPath)
    return { all: cached, cached }
  }
  return { all: [...realPath(folder), ...realPath(onnxPath).map(dirname)], cached: undefined }
}

function realPath(path: string): string[] {
  try {
    return [realpathSync.native(path)]
  } catch {
    return []
  }
}

function checkSideFile(path: string, options: RootedOptions): void {
  const status = statusOf(path)
  if (status === undefined) return
  if (!status.isFile()) throw new BrokenFile(path, 'not a regular file', options)
  checkFirstBytes(path, status.size, options)
  if (options.roots) checkInside(path, options.roots)
}

function regularFile(path: string, options: CheckOptions): Stats {
  let status: Stats
  try {
    status = statSync(path)
  } catch (cause) {
    throw new BrokenFile(path, `missing (${(cause as NodeJS.ErrnoException).code})`, { ...options, cause })
  }
  if (!status.isFile()) throw new BrokenFile(path, 'not a regular file', options)
  return status
}

/** Tells apart what servers and version control leave in the place of a file. */
function checkFirstBytes(path: string, size: number, options: CheckOptions): void {
  if (size === 0) throw new BrokenFile(path, 'empty', options)
  const bytes = Buffer.alloc(64)
  const read = withFile(path, (handle) => readSync(handle, bytes, 0, bytes.length, 0))
  const start = bytes.toString('latin1', 0, read).replace(/^(?:\xef\xbb\xbf)?\s*/, '')
  if (start.startsWith('version https://git-lfs')) {
    throw new BrokenFile(path, `a Git LFS pointer of ${size} bytes, not the file`, {
      repair: options.repair ?? 'git lfs pull in the folder it was cloned to, or use the model by its hub id',
    })
  }
  if (/^<(?:!doctype|html|\?xml)/i.test(start)) {
    throw new BrokenFile(path, `a web page of ${size} bytes, not the file`, options)
  }
}
