/** The nodes of a graph of halves as those of one of fp32: which values are fp32 then, and which casts are of no use any more. */
import { FLOAT, FLOAT16, MICROSOFT } from '../onnx-file/fields.ts'
import { type GraphBody, type GraphNode, producersOf, readersOf } from '../onnx-file/graph.ts'
import { inputShapes } from '../onnx-file/input-shapes.ts'
import { makeNode, withInputs, withOutputs } from '../onnx-file/make-parts.ts'
import type { TensorFacts } from '../onnx-file/tensor-parts.ts'
import { innerNames, takenBy } from '../onnx-file/unread.ts'

export const singleName = (name: string): string => `spout.single.${name}`
export const cast = (from: string, to: string): GraphNode =>
  makeNode('Cast', { inputs: [from], outputs: [to], ints: { to: FLOAT } })

export interface ConvertedWeights {
  readonly large: ReadonlySet<string>
  readonly initializers: ReadonlyMap<string, TensorFacts>
}

/** Each after those whose values it takes, which files do not always keep to. */
export function inOrder(body: GraphBody): Iterable<GraphNode> {
  const producers = producersOf(body)
  const ordered = new Set<GraphNode>()
  const begun = new Set<GraphNode>()
  // A stack of its own: a chain may be as long as a graph.
  const pending = [...body.nodes].reverse()
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (ordered.has(node)) continue
    const before = begun.has(node) ? [] : takenBy(node).flatMap((name) => producers.get(name) ?? [])
    const open = before.filter((each) => !ordered.has(each) && !begun.has(each))
    begun.add(node)
    if (open.length === 0) ordered.add(node)
    else pending.push(node, ...open)
  }
  return ordered
}

/** Nodes in their order. A cast of what is fp32 already is left out: it would stand between nodes that belong together. */
export class ConvertedNodes {
  readonly list: GraphNode[] = []
  readonly #large: ReadonlySet<string>
  /** Values that are fp32 for certain. */
  readonly #floats: Set<string>
  /** Of a cast that is left out: what is read in place of what it gave. */
  readonly #instead = new Map<string, string>()
  readonly #readers: ReadonlyMap<string, readonly GraphNode[]>
  readonly #inner: ReadonlySet<string>
  readonly #outputs: ReadonlySet<string>

  constructor(body: GraphBody, { large, initializers }: ConvertedWeights) {
    const weights = [...initializers].filter(([, { type }]) => type === FLOAT)
    const inputs = [...inputShapes(body)].filter(([, { type }]) => FLOATS.has(type))
    this.#large = large
    this.#floats = new Set([...weights, ...inputs].map(([name]) => name))
    this.#readers = readersOf(body)
    this.#inner = innerNames(body)
    this.#outputs = new Set(body.outputs)
  }

  add(node: GraphNode): void {
    const inputs = node.inputs.map((name) => this.#instead.get(name) ?? name)
    const [first = ''] = inputs
    const [output] = node.outputs as [string]
    if (node.domain === '' && node.opType === 'Cast' && FLOATS.has(node.ints.to ?? 0)) {
      if (!this.#floats.has(first) || !this.#leaveOut(first, output)) this.list.push(cast(first, output))
      this.#floats.add(output)
    } else if (node.domain === '' && node.opType === 'Gather' && this.#large.has(first)) {
      const halves = `spout.halves.${output}`
      this.list.push(withOutputs(withInputs(node, inputs), [halves]), cast(halves, output))
      this.#floats.add(output)
    } else {
      const read = inputs.map((name) => (this.#large.has(name) ? singleName(name) : name))
      this.list.push(read.every((name, i) => name === node.inputs[i]) ? node : withInputs(node, read))
      const isFloat = this.#floats.has(first) || this.#large.has(first)
      if (isFloat && SAME_TYPE.has(node.opType)) this.#floats.add(output)
      if (node.domain === MICROSOFT && ALWAYS_FLOAT.has(node.opType))
        for (const name of node.outputs) this.#floats.add(name)
    }
  }

  /** @returns whether nobody misses the cast from `first` to `output` */
  #leaveOut(first: string, output: string): boolean {
    if (this.#inner.has(output)) return false
    if (!this.#outputs.has(output)) {
      this.#instead.set(output, first)
      return true
    }
    // What the graph gives takes the name itself, where nobody else reads it under its own.
    const isOnlyRead =
      this.#readers.get(first)?.length === 1 && !this.#inner.has(first) && !this.#outputs.has(first)
    const at = this.list.findLastIndex(({ outputs }) => outputs.includes(first))
    if (!isOnlyRead || at < 0) return false
    const maker = this.list[at]!
    const outputs = maker.outputs.map((name) => (name === first ? output : name))
    this.list[at] = withOutputs(maker, outputs)
    return true
  }
}

const FLOATS: ReadonlySet<number> = new Set([FLOAT, FLOAT16])

/** Operators whose first output has the type of their first input: fp32 follows from fp32. */
const SAME_TYPE = new Set([
  ...[
    'Add',
    'Sub',
    'Mul',
    'Div',
    'Pow',
    'Sqrt',
    'Reciprocal',
    'Neg',
    'Sigmoid',
    'Tanh',
    'Erf',
    'Gelu',
    'Softmax',
  ],
  ...[
    'ReduceMean',
    'MatMul',
    'Gemm',
    'Concat',
    'Slice',
    'Reshape',
    'Transpose',
    'Squeeze',
    'Unsqueeze',
    'Expand',
  ],
  ...['Identity', 'Gather', 'Cos', 'Sin', 'LayerNormalization', 'SimplifiedLayerNormalization'],
])

/** ONNX Runtime's, all of whose outputs are halves or fp32; after the conversion there are no halves. */
const ALWAYS_FLOAT = new Set([
  ...['MatMulNBits', 'GatherBlockQuantized', 'GroupQueryAttention', 'MultiHeadAttention', 'RotaryEmbedding'],
  ...['SkipSimplifiedLayerNormalization', 'SkipLayerNormalization', 'QuickGelu', 'FastGelu', 'BiasGelu'],
])
