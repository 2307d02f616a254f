import { type FieldVisitor, ProtobufFile, WireError } from './protobuf-file.ts'

// What must be known of a graph before a session is made of it: which files its weights lie in, and what it is fed
// with. Field numbers are those of onnx.proto. Tensors hide in more places than the list of initializers: in sparse
// tensors, in the attributes of nodes, in subgraphs and in functions; all are visited.

/** One tensor whose bytes lie in another file. */
export interface ExternalTensor {
  /** As the graph says it: a path relative to the graph's folder, not to be trusted. */
  readonly location: string
  readonly offset: number
  /** Bytes; `undefined` means to the end of the file. */
  readonly length: number | undefined
}

/** An input of the graph. */
export interface GraphInput {
  readonly name: string
  /** TensorProto.DataType: 1 float, 2 uint8, 3 int8, 10 float16. */
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
/** What the entry that makes a tensor external must hold; nodes without it need not be looked into. */
const LOCATION = Buffer.from('location')
const NARROW = Buffer.from('MatMulNBits')

/** Reads the facts of the ONNX file at `path`, which has `size` bytes. Throws `WireError`. */
export function readOnnxFacts(path: string, size: number): OnnxFacts {
  const file = new ProtobufFile(path, size)
  try {
    return new FactReader(file).read()
  } finally {
    file.close()
  }
}

/**
 * Walks a model. One method for each kind of message; all but those that have something to remember of their message are
 * visitors made once, since a graph has thousands of them.
 */
class FactReader {
  readonly #file: ProtobufFile
  readonly #tensors: ExternalTensor[] = []
  readonly #inputs: GraphInput[] = []
  #narrow = false
  #depth = 0

  constructor(file: ProtobufFile) {
    this.#file = file
  }

  read(): OnnxFacts {
    let graphs = 0
    this.#file.eachField(0, this.#file.size, (number, start, end) => {
      if (number === 7) {
        graphs++
        this.#graph(start, end)
      } else if (number === 25) this.#each(start, end, this.#functionField)
    })
    if (graphs !== 1) throw new WireError(`${graphs} graphs where there should be one`)
    return { externalTensors: this.#tensors, inputs: this.#inputs, narrowWeights: this.#narrow }
  }

  #graph(start: number, end: number): void {
    if (++this.#depth > DEEPEST) throw new WireError('subgraphs nested too deep')
    this.#each(start, end, this.#graphField)
    this.#depth--
  }

  readonly #graphField: FieldVisitor = (number, start, end) => {
    if (number === 1) this.#node(start, end)
    else if (number === 5) this.#tensor(start, end)
    else if (number === 11 && this.#depth === 1) this.#inputs.push(this.#input(start, end))
    else if (number === 15) this.#each(start, end, this.#sparseField)
  }

  readonly #functionField: FieldVisitor = (number, start, end) => {
    if (number === 7) this.#node(start, end)
  }

  #node(start: number, end: number): void {
    if (this.#depth === 1) this.#narrow ||= this.#file.includes(start, end, NARROW)
    if (this.#file.includes(start, end, LOCATION)) this.#each(start, end, this.#nodeField)
  }

  readonly #nodeField: FieldVisitor = (number, start, end) => {
    if (number === 5) this.#each(start, end, this.#attributeField)
  }

  readonly #attributeField: FieldVisitor = (number, start, end) => {
    if (number === 5 || number === 10) this.#tensor(start, end)
    else if (number === 6 || number === 11) this.#graph(start, end)
    else if (number === 22 || number === 23) this.#each(start, end, this.#sparseField)
  }

  /** A sparse tensor is two tensors: values and indices. */
  readonly #sparseField: FieldVisitor = (number, start, end) => {
    if (number === 1 || number === 2) this.#tensor(start, end)
  }

  #tensor(start: number, end: number): void {
    let entries: Map<string, string> | undefined
    this.#each(start, end, (number, from, to, value) => {
      const marked = number === 14 && value === 1
      if (number === 13 || marked) entries ??= new Map()
      if (number === 13) entries?.set(...this.#entry(from, to))
    })
    if (entries === undefined) return
    const length = entries.get('length')
    this.#tensors.push({
      location: entries.get('location') ?? '',
      offset: Number(entries.get('offset') ?? 0),
      length: length === undefined ? undefined : Number(length),
    })
  }

  #entry(start: number, end: number): [key: string, value: string] {
    let key = ''
    let value = ''
    this.#each(start, end, (number, from, to) => {
      if (number === 1) key = this.#file.text(from, to)
      else if (number === 2) value = this.#file.text(from, to)
    })
    return [key, value]
  }

  #input(start: number, end: number): GraphInput {
    const dims: (number | undefined)[] = []
    let name = ''
    let elementType = 0
    const ofTensor: FieldVisitor = (number, from, to, value) => {
      if (number === 1) elementType = value
      else if (number === 2) this.#each(from, to, (n, f, t) => n === 1 && dims.push(this.#dimension(f, t)))
    }
    this.#each(start, end, (number, from, to) => {
      if (number === 1) name = this.#file.text(from, to)
      else if (number === 2) this.#each(from, to, (n, f, t) => n === 1 && this.#each(f, t, ofTensor))
    })
    return { name, elementType, dims }
  }

  #dimension(start: number, end: number): number | undefined {
    let size: number | undefined
    this.#each(start, end, (number, _from, _to, value) => {
      if (number === 1) size = value
    })
    return size
  }

  #each(start: number, end: number, visit: FieldVisitor): void {
    this.#file.eachField(start, end, visit)
  }
}
