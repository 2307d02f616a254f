import { readSync } from 'node:fs'
import { totalmem } from 'node:os'
import { basename, join } from 'node:path'
import { SpoutError } from '../errors.ts'
import { BrokenFile } from '../onnx-file/broken-file.ts'
import { type FilePlaces, filePlaces } from '../onnx-file/file-places.ts'
import { type OnnxFacts, readOnnxFacts } from '../onnx-file/onnx-facts.ts'
import { dataFiles, fileInside, regularFile, WeightFiles } from '../onnx-file/weight-files.ts'
import { withFile } from '../system/file-handle.ts'
import { statusOf } from '../system/list-files.ts'
import type { ResolvedModel } from './resolved-model.ts'

export { BrokenFile }

// What is wrong with a model's files is found before a session is made of them: the runtime's own errors name neither
// the cause nor the cure, and it opens whatever path a graph names. Only first bytes, lengths and the table of
// tensors are read.

interface CheckOptions {
  /** Bytes of memory of this machine. */
  readonly memory?: number | undefined
  /** What to type to get the files again. */
  readonly repair?: string | undefined
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
  const places = filePlaces(onnxPath)
  for (const name of ['config.json', 'genai_config.json', 'tokenizer.json']) {
    checkSideFile(join(model.folder, name), places, options)
  }
  checkFirstBytes(onnxPath, regularFile(onnxPath, options).size, options)
  const weights = new WeightFiles(onnxPath, options)
  for (const { reference, name, facts } of factsOf(onnxPath, options).externalTensors) {
    weights.resolve(reference, name, facts)
  }
  checkMemory(onnxPath, weights.bytes, options.memory ?? totalmem())
  return weights.bytes
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

/** The distinct files a graph's weights lie in, relative to its folder. Throws `config` for an unsafe name, or too many. */
export function weightNames(onnxPath: string): string[] {
  return dataFiles(
    onnxPath,
    factsOf(onnxPath).externalTensors.map(({ reference }) => reference),
  )
}

function checkSideFile(path: string, places: FilePlaces, options: CheckOptions): void {
  const status = statusOf(path)
  if (status === undefined) return
  if (!status.isFile()) throw new BrokenFile(path, 'not a regular file', options)
  checkFirstBytes(path, status.size, options)
  if (places.isCached) fileInside(places, path, options)
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
