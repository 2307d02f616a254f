/** A graph whose RMSNorms are our own operators. */
import { isNormShape, type NormShape, normName } from '../kernels/norm/norm-shape.ts'
import { OWN_DOMAIN, withDomain } from '../onnx-file/domains.ts'
import { FLOAT, MICROSOFT } from '../onnx-file/fields.ts'
import { floatsOf } from '../onnx-file/float-attributes.ts'
import { type Graph, type GraphNode, readersOf } from '../onnx-file/graph.ts'
import { makeNode } from '../onnx-file/make-parts.ts'
import { innerNames } from '../onnx-file/unread.ts'

interface OwnNorms {
  readonly graph: Graph
  readonly norms: readonly NormShape[]
}

/** The same graph, and no shapes, when it has no norm that we compute. */
export function withOwnNorms(graph: Graph): OwnNorms {
  const norms: NormShape[] = []
  const isRead = readsOf(graph)
  const nodes = graph.nodes.map((node) => {
    const norm = normOf(graph, node, isRead)
    if (norm === undefined) return node
    norms.push(norm)
    return ownNode(node, norm)
  })
  if (norms.length === 0) return { graph, norms }
  const opTypes = new Set([...graph.opTypes, ...norms.map(normName)])
  return {
    graph: { ...graph, nodes, modelFields: withDomain(graph.modelFields, OWN_DOMAIN), opTypes },
    norms,
  }
}

/** Whether anybody takes a value. */
function readsOf(graph: Graph): (name: string) => boolean {
  const readers = readersOf(graph)
  const inner = innerNames(graph)
  return (name) => readers.has(name) || inner.has(name) || graph.outputs.includes(name)
}

const isPlainNorm = ({ opType, domain }: GraphNode): boolean =>
  opType === 'SimplifiedLayerNormalization' && domain === ''
const isResidualNorm = ({ opType, domain }: GraphNode): boolean =>
  opType === 'SkipSimplifiedLayerNormalization' && domain === MICROSOFT

/** What the runtime takes where a node says nothing. */
const EPSILON = { plain: 1e-5, residual: 1e-12 }

function normOf(graph: Graph, node: GraphNode, isRead: (name: string) => boolean): NormShape | undefined {
  const hasResidual = isResidualNorm(node)
  if (!hasResidual && !isPlainNorm(node)) return undefined
  const { inputs, outputs, ints } = node
  const count = hasResidual ? 3 : 2
  const weights = graph.initializers.get(inputs[count - 1] ?? '')
  const hasOnlyThese =
    inputs.slice(0, count).every((name) => name !== '') && inputs.slice(count).every((name) => name === '')
  // Mean and deviation are for training.
  const hasOnlyResult = [...outputs.slice(1, 3), ...outputs.slice(4)].every(
    (name) => name === '' || !isRead(name),
  )
  const isLast = hasResidual || ints.axis === undefined || ints.axis === -1
  if (!hasOnlyThese || !hasOnlyResult || !isLast || weights?.type !== FLOAT || weights.dims.length !== 1)
    return undefined
  const epsilon = floatsOf(node).get('epsilon') ?? (hasResidual ? EPSILON.residual : EPSILON.plain)
  const shape = { n: weights.dims[0]!, epsilon: Math.fround(epsilon), hasResidual }
  return isNormShape(shape) ? shape : undefined
}

function ownNode({ inputs, outputs }: GraphNode, shape: NormShape): GraphNode {
  const [output, , , sum = ''] = outputs as [string, string?, string?, string?]
  return makeNode(normName(shape), {
    inputs: inputs.filter((name) => name !== ''),
    outputs: shape.hasResidual ? [output, sum === '' ? `spout.sum.${output}` : sum] : [output],
    domain: OWN_DOMAIN,
  })
}
