/**
 * What must be known of a graph before a session is made of it: which files its weights lie in, and what it is fed with.
 * Tensors hide in more places than the list of initializers: in sparse tensors, in the attributes of nodes, in subgraphs and
 * in functions; all are visited.
 */
import { SpoutError } from '../errors.ts'
import { ATTRIBUTE, FUNCTION, GRAPH, MODEL, NODE, SPARSE } from './fields.ts'
import { withFileSource } from './file-source.ts'
import { readValue } from './input-shapes.ts'
import { readTensorParts, type TensorFacts } from './tensor-parts.ts'
import type { Reference } from './weight-files.ts'
import { type ByteSource, type Field, fieldsOf } from './wire.ts'

/** One tensor whose bytes lie in another file. */
interface ExternalTensor {
  readonly name: string
  readonly facts: TensorFacts
  /** As the graph says it: not to be trusted. */
  readonly reference: Reference
}

/** An input of the graph. */
export interface GraphInput {
  readonly name: string
  /** onnx.TensorProto.DataType. */
  readonly elementType: number
  /** A symbolic dimension is `undefined`. */
  readonly dims: readonly (number | undefined)[]
}

export interface OnnxFacts {
  readonly externalTensors: readonly ExternalTensor[]
  readonly inputs: readonly GraphInput[]
  /** Whether the main graph multiplies by 4-bit or other narrow weights (MatMulNBits). */
  readonly narrowWeights: boolean
}

const DEEPEST = 32
/** Most of the file is skipped: a small window costs less than a large one that is read for a few bytes. */
const WINDOW = 8 * 1024
/** What the entry that makes a tensor external must hold; nodes without it need not be looked into. */
const LOCATION = Buffer.from('location')
const NARROW = Buffer.from('MatMulNBits')

/** Reads the facts of the ONNX file at `path`, which has `size` bytes. @throws SpoutError `config` for what is no graph. */
export function readOnnxFacts(path: string, size: number): OnnxFacts {
  return withFileSource(path, { size, window: WINDOW }, (source) => new FactReader(source).read())
}

/** Walks a model. One method for each kind of message. */
class FactReader {
  readonly #source: ByteSource
  readonly #tensors: ExternalTensor[] = []
  readonly #inputs: GraphInput[] = []
  #narrow = false
  #depth = 0

  constructor(source: ByteSource) {
    this.#source = source
  }

  read(): OnnxFacts {
    let graphs = 0
    for (const field of fieldsOf(this.#source)) {
      if (field.number === MODEL.graph) {
        graphs++
        this.#graph(field)
      } else if (field.number === MODEL.functions) {
        this.#each(field, (part) => part.number === FUNCTION.node && this.#node(part))
      }
    }
    if (graphs !== 1)
      throw new SpoutError('config', `model graph: ${graphs} graphs where there should be one`)
    return { externalTensors: this.#tensors, inputs: this.#inputs, narrowWeights: this.#narrow }
  }

  #graph(graph: Field): void {
    if (++this.#depth > DEEPEST) throw new SpoutError('config', 'model graph: graphs nested too deep')
    this.#each(graph, (part) => {
      if (part.number === GRAPH.node) this.#node(part)
      else if (part.number === GRAPH.initializer) this.#tensor(part)
      else if (part.number === GRAPH.input && this.#depth === 1) this.#input(part)
      else if (part.number === GRAPH.sparseInitializer) this.#sparse(part)
    })
    this.#depth--
  }

  #node(node: Field): void {
    if (this.#depth === 1) this.#narrow ||= this.#holds(node, NARROW)
    if (!this.#holds(node, LOCATION)) return
    this.#each(
      node,
      (part) => part.number === NODE.attribute && this.#each(part, (of) => this.#attribute(of)),
    )
  }

  #attribute(part: Field): void {
    if (part.number === ATTRIBUTE.t || part.number === ATTRIBUTE.tensors) this.#tensor(part)
    else if (part.number === ATTRIBUTE.g || part.number === ATTRIBUTE.graphs) this.#graph(part)
    else if (part.number === ATTRIBUTE.sparse[0] || part.number === ATTRIBUTE.sparse[1]) this.#sparse(part)
  }

  /** A sparse tensor is two tensors: values and indices. */
  #sparse(sparse: Field): void {
    this.#each(sparse, (part) => {
      if (part.number === SPARSE.values || part.number === SPARSE.indices) this.#tensor(part)
    })
  }

  #tensor(tensor: Field): void {
    const { name, facts, external: reference } = readTensorParts(this.#source, tensor)
    if (reference.location !== undefined) this.#tensors.push({ name, facts, reference })
  }

  #input(input: Field): void {
    const { name, type, dims } = readValue(this.#source, input)
    this.#inputs.push({ name, elementType: type, dims })
  }

  #each({ valueStart, end }: Field, visit: (part: Field) => unknown): void {
    for (const part of fieldsOf(this.#source, valueStart, end)) visit(part)
  }

  /** Whether the bytes of a message hold `needle`, looked at window by window. */
  #holds({ valueStart, end }: Field, needle: Buffer): boolean {
    for (let at = valueStart; at + needle.length <= end; at += WINDOW / 2 - needle.length) {
      const { buffer, byteOffset, length } = this.#source.read(at, Math.min(end, at + WINDOW / 2))
      if (Buffer.from(buffer, byteOffset, length).includes(needle)) return true
    }
    return false
  }
}
