/** What is known of a graph's values without running it: which are constant, and the shapes of those. */
import { floatsOf } from '../onnx-file/float-attributes.ts'
import { constantOf, type GraphBody, type GraphNode, producersOf } from '../onnx-file/graph.ts'

export interface Constants {
  /** Made of constants alone, as a transposed or dequantized weight is. */
  has(name: string): boolean
  /** Number of axes of a constant; `undefined` where that is not known. */
  rankOf(name: string): number | undefined
  /** Sizes, where they do not depend on what the graph is given. */
  dimsOf(name: string): readonly number[] | undefined
  isScalar(name: string): boolean
  /** Has no axis of rows [.., rows, size], or one of 1: what it is combined with keeps its own. */
  isSameForRows(name: string): boolean
}

/** Steps from a value up to the constants it is made of. */
const MOST_STEPS = 8
/** Keep the axes of their first input. */
const KEEP_RANK = new Set(['Transpose', 'Cast', 'Identity', 'DequantizeLinear', 'DynamicQuantizeLinear'])
const KEEP_SHAPE = new Set(['Cast', 'Identity'])
/** Give what their inputs are broadcast to. */
const BROADCAST = new Set(['Add', 'Sub', 'Mul', 'Div'])

/** @param outer constants of the graphs around this one. */
export function constantsOf(body: GraphBody, outer?: Constants): Constants {
  const producers = producersOf(body)
  const known = new Map<string, boolean>()
  const isConstant = (name: string, steps: number): boolean => {
    const producer = producers.get(name)
    if (name === '' || body.initializers.has(name) || producer?.opType === 'Constant') return true
    if (producer === undefined) return !body.inputs.includes(name) && (outer?.has(name) ?? false)
    const before = known.get(name)
    if (before !== undefined) return before
    if (steps === 0 || producer.bodies.length > 0) return false
    known.set(name, false)
    known.set(
      name,
      producer.inputs.every((input) => isConstant(input, steps - 1)),
    )
    return known.get(name)!
  }
  const dimsOf = (name: string, steps = MOST_STEPS): readonly number[] | undefined => {
    const dims = constantOf(body, producers, name)?.dims
    const node = producers.get(name)
    if (dims !== undefined || steps === 0) return dims
    if (node === undefined) return body.inputs.includes(name) ? undefined : outer?.dimsOf(name)
    if (isScalarOutput(node, name)) return []
    if (node.domain !== '') return undefined
    if (KEEP_SHAPE.has(node.opType)) return dimsOf(node.inputs[0] ?? '', steps - 1)
    if (!BROADCAST.has(node.opType)) return undefined
    return broadcast(node.inputs.map((input) => dimsOf(input, steps - 1)))
  }
  const rankOf = (name: string, steps = MOST_STEPS): number | undefined => {
    const dims = dimsOf(name)
    const node = producers.get(name)
    if (dims !== undefined || steps === 0) return dims?.length
    if (node === undefined) return body.inputs.includes(name) ? undefined : outer?.rankOf(name)
    if (node.domain !== '') return undefined
    if (KEEP_RANK.has(node.opType)) return rankOf(node.inputs[0] ?? '', steps - 1)
    if (node.opType === 'Reshape') return dimsOf(node.inputs[1] ?? '')?.[0]
    if (!BROADCAST.has(node.opType)) return undefined
    const ranks = node.inputs.map((input) => rankOf(input, steps - 1))
    return ranks.every((rank) => rank !== undefined) ? Math.max(...ranks) : undefined
  }
  return {
    has: (name) => isConstant(name, MOST_STEPS),
    rankOf,
    dimsOf,
    isScalar: (name) => dimsOf(name)?.every((size) => size === 1) === true && dimsOf(name)!.length <= 1,
    isSameForRows(name) {
      const dims = dimsOf(name)
      return dims !== undefined && (dims.length < 2 || (dims.length === 2 && dims[0] === 1))
    },
  }
}

/** The scale and the zero point of DynamicQuantizeLinear; a Constant that is one number and no tensor. */
function isScalarOutput(node: GraphNode, name: string): boolean {
  if (node.domain !== '') return false
  if (node.opType === 'DynamicQuantizeLinear') return node.outputs.indexOf(name) > 0
  if (node.opType !== 'Constant') return false
  return node.ints.value_int !== undefined || floatsOf(node).get('value_float') !== undefined
}

function broadcast(all: readonly (readonly number[] | undefined)[]): readonly number[] | undefined {
  let result: number[] = []
  for (const dims of all) {
    if (dims === undefined) return undefined
    const length = Math.max(result.length, dims.length)
    const before = result
    const at = (sizes: readonly number[], i: number): number => sizes[i - length + sizes.length] ?? 1
    result = Array.from({ length }, (_, i) => Math.max(at(before, i), at(dims, i)))
  }
  return result
}
