import { statSync } from 'node:fs'
import { join, posix } from 'node:path'
import { type OnnxFacts, readOnnxFacts } from '../onnx-file/onnx-facts.ts'
import { type JsonObject, readJsonFile } from '../system/json-file.ts'
import { listFiles } from '../system/list-files.ts'
import { dtypeOfFileName, type GraphFile } from './dtype.ts'
import type { Dtype } from './resolved-model.ts'

// Where the graphs of a repository lie. Three layouts are in use: `onnx/model*.onnx`, `model*.onnx` at the root,
// and folders of onnxruntime-genai, each with its own config and tokenizer and a genai_config.json that names
// the decoder's file; such folders are often many, one per device.

/** Files beside the graph that belong to the model, each optional in itself. */
export const SIDE_FILES = [
  'config.json',
  'generation_config.json',
  'genai_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'chat_template.json',
] as const

/** The model card. It says nothing to the model, its licence to people. */
export const CARD = 'README.md'

/** Whether a model can do without the file at `path` although its repository lists it. */
export function isOptional(path: string): boolean {
  const name = posix.basename(path)
  if (/^(tokenizer|config|genai_config)\.json$/.test(name)) return false
  return name === CARD || (SIDE_FILES as readonly string[]).includes(name)
}

const OTHER_DEVICES = /cuda|directml|dml|webgpu|qnn|npu|vitis|openvino|trt|rocm|coreml|gpu/i

/** The folders ('' or `a/b`) of `files` that hold a genai_config.json and are not for another device. */
export function genaiFolders(files: readonly string[]): string[] {
  const folders = files.filter((f) => posix.basename(f) === 'genai_config.json').map(folderOf)
  const usable = folders.filter((folder) => !OTHER_DEVICES.test(folder))
  return usable.length > 0 ? usable : folders
}

/**
 * Every graph `files` offers, preferred layouts first.
 * @param files paths below the repository, with forward slashes
 * @param decoders for each genai folder, the decoder's file as its genai_config.json names it
 */
export function findGraphs(
  files: readonly string[],
  decoders: ReadonlyMap<string, string> = new Map(),
): GraphFile[] {
  const standard = ['onnx', ''].flatMap((folder) => standardGraphs(files, folder))
  const known = new Set(standard.map((graph) => graph.path))
  const genai = genaiFolders(files).flatMap((base) => genaiGraph(files, base, decoders.get(base)))
  return [...standard, ...genai.filter((graph) => !known.has(graph.path))]
}

/** The graphs in a folder of this disk. @param files what is below it, where that is known */
export function graphsBelow(folder: string, files: readonly string[] = listFiles(folder)): GraphFile[] {
  const decoders = genaiFolders(files).flatMap((base) => {
    const decoder = genaiDecoder(readJsonFile(join(folder, base, 'genai_config.json')) ?? {})
    return decoder === undefined ? [] : [[base, decoder] as const]
  })
  return findGraphs(files, new Map(decoders)).map((graph) => looked(folder, graph, files))
}

/** A genai folder's `model.onnx` does not say what it is; the graph itself does. */
function looked(folder: string, graph: GraphFile, files: readonly string[]): GraphFile {
  if (graph.dtype !== 'fp32' || !files.includes(posix.join(folderOf(graph.path), 'genai_config.json')))
    return graph
  try {
    const path = join(folder, graph.path)
    return { ...graph, dtype: dtypeOfFacts(readOnnxFacts(path, statSync(path).size)) }
  } catch {
    return graph
  }
}

function dtypeOfFacts({ narrowWeights, inputs }: OnnxFacts): Dtype {
  const halves = inputs.some(({ elementType }) => elementType === FLOAT16)
  if (narrowWeights) return halves ? 'q4f16' : 'q4'
  return halves ? 'fp16' : 'fp32'
}

const FLOAT16 = 10

/** The decoder's file in a parsed genai_config.json, below the folder of that file. */
export function genaiDecoder(config: JsonObject): string | undefined {
  const model = config.model as { decoder?: { filename?: unknown } } | undefined
  const name = model?.decoder?.filename
  return typeof name === 'string' ? name : undefined
}

function standardGraphs(files: readonly string[], folder: string): GraphFile[] {
  const found = files.flatMap((path) => {
    const dtype = folderOf(path) === folder ? dtypeOfFileName(posix.basename(path)) : undefined
    return dtype === undefined ? [] : [{ path, dtype, base: '' }]
  })
  const merged = (graph: GraphFile) => Number(posix.basename(graph.path).startsWith('decoder_'))
  return found.sort((a, b) => merged(a) - merged(b))
}

function genaiGraph(files: readonly string[], base: string, decoder: string | undefined): GraphFile[] {
  const inside = files.filter((path) => folderOf(path) === base && path.endsWith('.onnx'))
  const path = posix.join(base, decoder ?? 'model.onnx')
  const graph = files.includes(path) ? path : inside.length === 1 ? inside[0]! : undefined
  return graph === undefined ? [] : [{ path: graph, dtype: dtypeOfPath(graph), base }]
}

/** genai names the weights in the folder or the file: `cpu-int4-rtn-block-32`, `cuda-fp16`. */
function dtypeOfPath(path: string): Dtype {
  const told = dtypeOfFileName(posix.basename(path))
  if (told !== undefined && told !== 'fp32') return told
  const halves = /fp16|f16/i.test(path) || OTHER_DEVICES.test(path)
  if (/int4|q4|4bit|awq|gptq/i.test(path)) return halves ? 'q4f16' : 'q4'
  if (/int8|q8|8bit/i.test(path)) return 'int8'
  return halves ? 'fp16' : 'fp32'
}

/** The folder of a path below a repository: '' for the repository itself. */
export function folderOf(path: string): string {
  const folder = posix.dirname(path)
  return folder === '.' ? '' : folder
}
