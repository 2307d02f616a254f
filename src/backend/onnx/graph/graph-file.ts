/**
 * Reads an ONNX file into its skeleton: the graph without its weights. A large tensor inside the file becomes a
 * reference to the bytes where they lie, so a model of any size is read in milliseconds, and the runtime maps the
 * weights from the files the user already has.
 *
 * Field numbers: onnx.proto (ModelProto, GraphProto, NodeProto, TensorProto, AttributeProto).
 */
import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, sep } from 'node:path'
import { SpoutError } from '../../../errors.ts'
import {
  type ByteSource,
  bytesField,
  concat,
  copyOf,
  type Field,
  fieldsOf,
  signed,
  textOf,
  varintField,
} from './wire.ts'

/** A node, with those attributes that are one integer or a list of them. */
export interface GraphNode {
  readonly opType: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly ints: Readonly<Record<string, number>>
  /** The node as it stands in the file. */
  readonly bytes: Uint8Array
}

export interface Graph {
  readonly nodes: readonly GraphNode[]
  readonly initializers: ReadonlySet<string>
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Every other field of GraphProto (initializers, inputs, outputs, value infos), as bytes. */
  readonly rest: readonly Uint8Array[]
  /** Every field of ModelProto but the graph. */
  readonly modelFields: readonly Uint8Array[]
  /** The folder in which every reference to weights is found. */
  readonly weightsFolder: string
}

/** Smaller tensors stay in the graph: shapes and constants that the optimizer wants to see. */
const INLINE_BYTES = 4096
const MODEL = { graph: 7 }
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12 }
const NODE = { input: 1, output: 2, opType: 4, attribute: 5 }
const ATTRIBUTE = { name: 1, i: 3 }
const TENSOR = { name: 8, rawData: 9, externalData: 13, dataLocation: 14 }
const ENTRY = { key: 1, value: 2 }
const EXTERNAL = 1

/** @throws SpoutError `config` when the file is no ONNX graph or its weights lie outside its folder. */
export function readGraphFile(path: string): Graph {
  const file = openSync(path, 'r')
  try {
    return readGraph(fileSource(file), new WeightFiles(path))
  } finally {
    closeSync(file)
  }
}

/** The skeleton as bytes of a ModelProto. */
export function encodeGraph(graph: Graph): Uint8Array {
  const nodes = graph.nodes.map((node) => bytesField(GRAPH.node, node.bytes))
  return concat([...graph.modelFields, bytesField(MODEL.graph, concat([...nodes, ...graph.rest]))])
}

/**
 * Where weights lie. A hub snapshot is made of links into a folder of blobs; ONNX Runtime refuses a link that
 * leaves the model's folder, so references name the real files, all in one folder.
 */
class WeightFiles {
  readonly folder: string
  readonly self: string
  readonly #linkFolder: string
  readonly #names = new Map<string, string>()

  constructor(path: string) {
    const real = realpathSync(path)
    this.folder = dirname(real)
    this.self = basename(real)
    this.#linkFolder = dirname(path)
  }

  /** The name inside `folder` of what the graph calls `location`. */
  resolve(location: string): string {
    let name = this.#names.get(location)
    if (name === undefined) {
      name = this.#find(location)
      this.#names.set(location, name)
    }
    return name
  }

  #find(location: string): string {
    if (isAbsolute(location) || location.split(/[\\/]/).includes('..')) throw outside(location)
    let real: string
    try {
      real = realpathSync(join(this.#linkFolder, location))
    } catch (cause) {
      throw new SpoutError('config', `model weights: ${location} is missing`, {
        hint: 'download the model again, with all its files',
        cause,
      })
    }
    if (!real.startsWith(this.folder + sep)) throw outside(location)
    return real.slice(this.folder.length + 1)
  }
}

function outside(location: string): SpoutError {
  return new SpoutError(
    'config',
    `model weights: ${JSON.stringify(location).slice(0, 200)} lies outside the model`,
  )
}

function readGraph(source: ByteSource, weights: WeightFiles): Graph {
  const modelFields: Uint8Array[] = []
  const parts = { nodes: [] as GraphNode[], rest: [] as Uint8Array[] }
  const names = { initializers: new Set<string>(), inputs: [] as string[], outputs: [] as string[] }
  let found = false
  for (const field of fieldsOf(source)) {
    if (field.number !== MODEL.graph) {
      modelFields.push(copyOf(source, field))
      continue
    }
    found = true
    for (const part of fieldsOf(source, field.valueStart, field.end))
      readPart(source, part, weights, parts, names)
  }
  if (!found) throw new SpoutError('config', 'model graph: the file holds no ONNX graph')
  return { ...parts, ...names, modelFields, weightsFolder: weights.folder }
}

function readPart(
  source: ByteSource,
  part: Field,
  weights: WeightFiles,
  parts: { nodes: GraphNode[]; rest: Uint8Array[] },
  names: { initializers: Set<string>; inputs: string[]; outputs: string[] },
): void {
  if (part.number === GRAPH.node) {
    parts.nodes.push(readNode(source, part))
  } else if (part.number === GRAPH.initializer) {
    const { name, bytes } = readInitializer(source, part, weights)
    names.initializers.add(name)
    parts.rest.push(bytes)
  } else {
    if (part.number === GRAPH.input) names.inputs.push(firstText(source, part, 1))
    if (part.number === GRAPH.output) names.outputs.push(firstText(source, part, 1))
    parts.rest.push(copyOf(source, part))
  }
}

function readNode(source: ByteSource, part: Field): GraphNode {
  const inputs: string[] = []
  const outputs: string[] = []
  const ints: Record<string, number> = {}
  let opType = ''
  for (const field of fieldsOf(source, part.valueStart, part.end)) {
    if (field.number === NODE.input) inputs.push(textOf(source, field))
    else if (field.number === NODE.output) outputs.push(textOf(source, field))
    else if (field.number === NODE.opType) opType = textOf(source, field)
    else if (field.number === NODE.attribute) {
      let name = ''
      for (const attribute of fieldsOf(source, field.valueStart, field.end)) {
        if (attribute.number === ATTRIBUTE.name) name = textOf(source, attribute)
        else if (attribute.number === ATTRIBUTE.i) ints[name] = signed(attribute.varint)
      }
    }
  }
  return { opType, inputs, outputs, ints, bytes: source.read(part.valueStart, part.end).slice() }
}

/** The initializer, its weights turned into a reference when they are large or lie in another file. */
function readInitializer(
  source: ByteSource,
  part: Field,
  weights: WeightFiles,
): { name: string; bytes: Uint8Array } {
  const kept: Uint8Array[] = []
  const external: Record<string, string> = {}
  let name = ''
  let raw: Field | undefined
  for (const field of fieldsOf(source, part.valueStart, part.end)) {
    if (field.number === TENSOR.name) name = textOf(source, field)
    if (field.number === TENSOR.rawData) raw = field
    else if (field.number === TENSOR.externalData) Object.assign(external, readEntry(source, field))
    else if (field.number !== TENSOR.dataLocation) kept.push(copyOf(source, field))
  }
  if (external.location !== undefined) {
    kept.push(...reference({ ...external, location: weights.resolve(external.location) }))
  } else if (raw !== undefined && raw.end - raw.valueStart > INLINE_BYTES) {
    const length = String(raw.end - raw.valueStart)
    kept.push(...reference({ location: weights.self, offset: String(raw.valueStart), length }))
  } else if (raw !== undefined) {
    kept.push(copyOf(source, raw))
  }
  return { name, bytes: bytesField(GRAPH.initializer, kept) }
}

function reference(entries: Readonly<Record<string, string>>): Uint8Array[] {
  const fields = Object.entries(entries).map(([key, value]) =>
    bytesField(TENSOR.externalData, [bytesField(ENTRY.key, key), bytesField(ENTRY.value, value)]),
  )
  return [...fields, varintField(TENSOR.dataLocation, EXTERNAL)]
}

function readEntry(source: ByteSource, field: Field): Record<string, string> {
  return { [firstText(source, field, ENTRY.key)]: firstText(source, field, ENTRY.value) }
}

function firstText(source: ByteSource, message: Field, number: number): string {
  for (const field of fieldsOf(source, message.valueStart, message.end)) {
    if (field.number === number) return textOf(source, field)
  }
  return ''
}

/** A window over an open file: the headers between the weights are read, the weights are not. */
function fileSource(file: number): ByteSource {
  const { size } = fstatSync(file)
  const memory = new Uint8Array(Math.min(size, 1 << 18))
  return {
    size,
    window: memory.subarray(0, 0),
    base: 0,
    load(start, end) {
      if (start >= this.base && end <= this.base + this.window.length) return
      this.window = memory.subarray(0, readSync(file, memory, 0, memory.length, start))
      this.base = start
    },
    read(start, end) {
      if (end - start > memory.length) {
        const whole = new Uint8Array(end - start)
        return whole.subarray(0, readSync(file, whole, 0, whole.length, start))
      }
      this.load(start, end)
      return this.window.subarray(start - this.base, end - this.base)
    },
  } as Mutable<ByteSource>
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
