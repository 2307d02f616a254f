import { type Field, ProtobufFile, WireError } from './protobuf-file.ts'

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

class FactReader {
  readonly #file: ProtobufFile
  readonly #tensors: ExternalTensor[] = []
  readonly #inputs: GraphInput[] = []
  #narrow = false

  constructor(file: ProtobufFile) {
    this.#file = file
  }

  read(): OnnxFacts {
    let graphs = 0
    const whole = { number: 0, wire: 2, value: 0, start: 0, end: this.#file.size }
    this.#each(whole, {
      7: (graph) => {
        graphs++
        this.#graph(graph, 0)
      },
      25: (fn) => this.#each(fn, { 7: (node) => this.#node(node, 0) }),
    })
    if (graphs !== 1) throw new WireError(`${graphs} graphs where there should be one`)
    return { externalTensors: this.#tensors, inputs: this.#inputs, narrowWeights: this.#narrow }
  }

  #graph(graph: Field, depth: number): void {
    if (depth > DEEPEST) throw new WireError('subgraphs nested too deep')
    this.#each(graph, {
      1: (node) => this.#node(node, depth),
      5: (tensor) => this.#tensor(tensor),
      11: (input) => depth === 0 && this.#inputs.push(this.#input(input)),
      15: (sparse) => this.#sparse(sparse),
    })
  }

  #node(node: Field, depth: number): void {
    if (depth === 0) this.#narrow ||= this.#file.includes(node, NARROW)
    if (!this.#file.includes(node, LOCATION)) return
    this.#each(node, {
      5: (attribute) =>
        this.#each(attribute, {
          5: (tensor) => this.#tensor(tensor),
          6: (graph) => this.#graph(graph, depth + 1),
          10: (tensor) => this.#tensor(tensor),
          11: (graph) => this.#graph(graph, depth + 1),
          22: (sparse) => this.#sparse(sparse),
          23: (sparse) => this.#sparse(sparse),
        }),
    })
  }

  #sparse(sparse: Field): void {
    this.#each(sparse, { 1: (values) => this.#tensor(values), 2: (indices) => this.#tensor(indices) })
  }

  #tensor(tensor: Field): void {
    const entries = new Map<string, string>()
    let external = false
    this.#each(tensor, {
      13: (entry) => {
        external = true
        entries.set(...this.#entry(entry))
      },
      14: (place) => {
        external ||= place.value === 1
      },
    })
    if (!external) return
    const length = entries.get('length')
    this.#tensors.push({
      location: entries.get('location') ?? '',
      offset: Number(entries.get('offset') ?? 0),
      length: length === undefined ? undefined : Number(length),
    })
  }

  #entry(entry: Field): [key: string, value: string] {
    let key = ''
    let value = ''
    this.#each(entry, {
      1: (field) => {
        key = this.#file.text(field)
      },
      2: (field) => {
        value = this.#file.text(field)
      },
    })
    return [key, value]
  }

  #input(input: Field): GraphInput {
    const dims: (number | undefined)[] = []
    let name = ''
    let elementType = 0
    this.#each(input, {
      1: (field) => {
        name = this.#file.text(field)
      },
      2: (type) =>
        this.#each(type, {
          1: (tensor) =>
            this.#each(tensor, {
              1: (field) => {
                elementType = field.value
              },
              2: (shape) => this.#each(shape, { 1: (dim) => dims.push(this.#dimension(dim)) }),
            }),
        }),
    })
    return { name, elementType, dims }
  }

  #dimension(dim: Field): number | undefined {
    let value: number | undefined
    this.#each(dim, {
      1: (field) => {
        value = field.value
      },
    })
    return value
  }

  /** Visits the fields of a message by their numbers. */
  #each(message: Field, visitors: Readonly<Record<number, (field: Field) => unknown>>): void {
    if (message.wire !== 2) throw new WireError(`a message has wire type ${message.wire}`)
    this.#file.eachField(message.start, message.end, (field) => visitors[field.number]?.(field))
  }
}
