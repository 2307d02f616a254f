/** An ONNX graph as its skeleton: operators and names, the weights only by reference. */

import { readConstant, type TensorFacts } from './tensor-parts.ts'

/** A node, with those attributes that are one integer or a list of them. */
export interface GraphNode {
  readonly opType: string
  /** '' is the standard's own operators. */
  readonly domain: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly ints: Readonly<Record<string, number>>
  /** The branches of an If, the body of a Loop or Scan. */
  readonly bodies: readonly GraphBody[]
  /** NodeProto. */
  readonly bytes: Uint8Array
}

/** A graph or a graph inside a node. */
export interface GraphBody {
  readonly nodes: readonly GraphNode[]
  readonly initializers: ReadonlyMap<string, TensorFacts>
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Every field of GraphProto but the nodes (initializers, inputs, outputs, value infos), as bytes. */
  readonly otherFields: readonly Uint8Array[]
}

export interface Skeleton extends GraphBody {
  /** Every field of ModelProto but the graph. */
  readonly modelFields: readonly Uint8Array[]
  /** Every operator used, in bodies and functions as well. */
  readonly opTypes: ReadonlySet<string>
  /** Their domains. */
  readonly domains: ReadonlySet<string>
}

export interface Graph extends Skeleton {
  /** The folder in which every reference to weights is found. */
  readonly weightsFolder: string
  /** Absolute paths of the graph's file and of every file with weights of it; links stay links. */
  readonly files: readonly string[]
}

/** Which node makes each value of a body. */
export function producersOf(body: GraphBody): Map<string, GraphNode> {
  const producers = new Map<string, GraphNode>()
  for (const node of body.nodes) for (const name of node.outputs) producers.set(name, node)
  return producers
}

/** Which nodes take each value of a body. */
export function readersOf(body: GraphBody): Map<string, GraphNode[]> {
  const readers = new Map<string, GraphNode[]>()
  for (const node of body.nodes) {
    for (const name of node.inputs) {
      const list = readers.get(name)
      if (list === undefined) readers.set(name, [node])
      else list.push(node)
    }
  }
  return readers
}

/** The constant a name stands for: an initializer or what a Constant node makes. */
export function constantOf(
  body: GraphBody,
  producers: ReadonlyMap<string, GraphNode>,
  name: string,
): TensorFacts | undefined {
  const node = producers.get(name)
  return body.initializers.get(name) ?? (node?.opType === 'Constant' ? readConstant(node.bytes) : undefined)
}
