/**
 * GroupQueryAttention wants to know how long the text is: `seqlens_k`, of each sequence its length less one, and
 * `total_sequence_length`. Exporters compute both of `attention_mask`, with a few operators on integers that a graphics card
 * leaves to the CPU; a run with nodes on the CPU cannot be recorded. We know both numbers: here they become inputs.
 */
import { INT32 } from '../onnx-file/fields.ts'
import { constantOf, type Graph, type GraphNode, producersOf } from '../onnx-file/graph.ts'
import { makeInput, withInputs } from '../onnx-file/make-parts.ts'
import { withoutUnused } from '../onnx-file/unread.ts'
import { withoutInput } from '../onnx-file/without-input.ts'

/** Tokens of the text after this run, less one: int32 [1]. */
export const LENGTH_LESS_ONE = 'spout.length_less_one'
/** Tokens of the text after this run: int32 [1]. */
export const LENGTH = 'spout.length'

const MASK = 'attention_mask'
/** Of GroupQueryAttention: the inputs `seqlens_k` and `total_sequence_length`. */
const SEQLENS = 5
const TOTAL = 6

/** `undefined` where some attention is of another kind, or its lengths are not made in the way that we recognise. */
export function withLengthInputs(graph: Graph): Graph | undefined {
  const attentions = graph.nodes.filter(({ opType }) => opType === 'GroupQueryAttention')
  const nodes = attentions.length > 0 && attentions.every((node) => areLengths(graph, node))
  if (!nodes || !graph.inputs.includes(MASK)) return undefined
  const patched = graph.nodes.map((node) => (attentions.includes(node) ? withLengths(node) : node))
  const otherFields = [...graph.otherFields, lengthInput(LENGTH_LESS_ONE), lengthInput(LENGTH)]
  const inputs = [...graph.inputs, LENGTH_LESS_ONE, LENGTH]
  const alone = withoutInput(
    { ...graph, nodes: withoutUnused(patched, graph.outputs), otherFields, inputs },
    MASK,
  )
  return alone.nodes.some((node) => takes(node, MASK)) ? undefined : alone
}

const lengthInput = (name: string): Uint8Array => makeInput(name, { type: INT32, dims: [1] })

const takes = (node: GraphNode, name: string): boolean =>
  node.inputs.includes(name) || node.bodies.some((body) => body.nodes.some((inner) => takes(inner, name)))

function withLengths(node: GraphNode): GraphNode {
  return withInputs(node, node.inputs.with(SEQLENS, LENGTH_LESS_ONE).with(TOTAL, LENGTH))
}

/** seqlens_k = Cast(ReduceSum(mask, axis 1) - 1), total_sequence_length = Cast(Gather(Shape(mask), 1)). */
function areLengths(graph: Graph, attention: GraphNode): boolean {
  const producers = producersOf(graph)
  const made = (name: string | undefined, opType: string): GraphNode | undefined => {
    const node = producers.get(name ?? '')
    return node?.opType === opType ? node : undefined
  }
  const isOne = (name: string | undefined): boolean => constantOf(graph, producers, name ?? '')?.scalar === 1
  const less = made(made(attention.inputs[SEQLENS], 'Cast')?.inputs[0], 'Sub')
  const sum = made(less?.inputs[0], 'ReduceSum')
  const pick = made(made(attention.inputs[TOTAL], 'Cast')?.inputs[0], 'Gather')
  const shape = made(pick?.inputs[0], 'Shape')
  return (
    sum?.inputs[0] === MASK &&
    isOne(sum.inputs[1]) &&
    isOne(less?.inputs[1]) &&
    shape?.inputs[0] === MASK &&
    Object.keys(shape.ints).length === 0 &&
    isOne(pick?.inputs[1])
  )
}
