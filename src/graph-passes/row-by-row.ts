/**
 * Whether a graph makes each row of its logits of one row of ids, apart from attention of ours, which knows whose rows are whose.
 * Then one run may have rows of many sequences, one after another on the axis of tokens.
 */
import { OWN_DOMAIN } from '../onnx-file/domains.ts'
import { MICROSOFT } from '../onnx-file/fields.ts'
import { type Graph, type GraphNode, producersOf } from '../onnx-file/graph.ts'
import { inputShapes } from '../onnx-file/input-shapes.ts'
import { integerList } from '../onnx-file/integer-list.ts'
import { type Constants, constantsOf } from './constants.ts'
import { NUM_LOGITS_TO_KEEP, WANTED } from './keep-last-rows.ts'

/**
 * `mixed`: rows may meet, or it is not known that they do not. `apart`: they do not, but what a row becomes may depend, in the
 * last bits, on how many there are, as of ONNX Runtime's matmul. `exact`: not even that.
 */
export type RowUse = 'mixed' | 'apart' | 'exact'

/** A value whose rows stand one after another in memory: dimensions before theirs are 1. */
interface RowValue {
  readonly rank: number
  /** The axis of the rows, which is not the last; for ids it is. */
  readonly axis: 0 | 1
}

interface Known {
  readonly graph: Graph
  readonly constants: Constants
  readonly producers: ReadonlyMap<string, GraphNode>
  readonly rows: Map<string, RowValue>
}

/** What a node makes of rows; `undefined`: they may meet. */
type Rule = (node: GraphNode, known: Known) => RowValue | undefined

export function rowUse(graph: Graph): RowUse {
  const known = {
    graph,
    constants: constantsOf(graph),
    producers: producersOf(graph),
    rows: rowInputs(graph),
  }
  if (known.rows === undefined) return 'mixed'
  let isExact = true
  for (const node of graph.nodes) {
    const made = rowsOf(node, known as Known)
    if (made === 'none') continue
    if (made === undefined) return 'mixed'
    isExact &&= made.isExact
    for (const name of node.outputs) if (name !== '') known.rows.set(name, made.value)
  }
  const logits = known.rows.get('logits')
  if (logits?.rank !== 3 || logits.axis !== 1) return 'mixed'
  return isExact ? 'exact' : 'apart'
}

/** Inputs that have a row for each id. `undefined`: there are others, of which nothing is known. */
function rowInputs(graph: Graph): Map<string, RowValue> | undefined {
  const shapes = inputShapes(graph)
  const rows = new Map<string, RowValue>()
  for (const name of graph.inputs) {
    const isOurs = name.startsWith(`${OWN_DOMAIN}.`) || name === NUM_LOGITS_TO_KEEP
    if (isOurs || graph.initializers.has(name)) continue
    const rank = shapes.get(name)?.dims.length
    if (rank !== ROW_INPUTS[name]) return undefined
    rows.set(name, { rank: rank!, axis: 1 })
  }
  return rows
}

/** Their axes. */
const ROW_INPUTS: Readonly<Record<string, number>> = { input_ids: 2, position_ids: 2, inputs_embeds: 3 }

function rowsOf(
  node: GraphNode,
  known: Known,
): { readonly value: RowValue; readonly isExact: boolean } | 'none' | undefined {
  if (node.bodies.length > 0) return undefined
  if (!node.inputs.some((name) => known.rows.has(name))) return 'none'
  if (node.domain === OWN_DOMAIN) return { value: known.rows.get(node.inputs[0]!)!, isExact: true }
  const names = `${node.domain === '' ? '' : `${node.domain}.`}${node.opType}`
  const isExact = EXACT[names] !== undefined
  const value = (EXACT[names] ?? APART[names])?.(node, known)
  return value && { value, isExact }
}

/** Element by element: what is beside the rows is the same for each. */
const elementwise: Rule = ({ inputs }, { constants, rows }) => {
  let made: RowValue | undefined
  for (const name of inputs) {
    const value = rows.get(name)
    if (value === undefined) {
      const dims = constants.dimsOf(name)
      if (
        name !== '' &&
        (dims === undefined || dims.length > 3 || dims.slice(0, -1).some((size) => size !== 1))
      )
        return undefined
    } else if (made === undefined) made = value
    else if (made.rank !== value.rank || made.axis !== value.axis) return undefined
  }
  // A constant of more axes would add one, and along ids one of one axis would meet every row.
  return made !== undefined && made.rank === 3 ? made : inputs.length === 1 ? made : undefined
}

/** Rows times a matrix that is constant. */
const matmul: Rule = ({ inputs, ints, opType }, { constants, rows }) => {
  const value = rows.get(inputs[0]!)
  const areConstant = inputs.slice(1).every((name) => constants.has(name))
  const isMatrix = opType === 'MatMulNBits' || constants.rankOf(inputs[1] ?? '') === 2
  const isPlain = (ints.transA ?? 0) === 0 && (ints.transBatchA ?? 0) === 0
  return areConstant && isMatrix && isPlain && value !== undefined && value.axis < value.rank - 1
    ? value
    : undefined
}

/** Over the last axis, with constants. */
const alongRow: Rule = ({ inputs, ints }, { constants, rows }) => {
  const [value, ...others] = inputs.filter((name) => rows.has(name)).map((name) => rows.get(name)!)
  const isSame = others.every(({ rank, axis }) => rank === value!.rank && axis === value!.axis)
  const isLast = ints.axis === undefined || ints.axis === -1 || ints.axis === value!.rank - 1
  const areKnown = inputs.every((name) => name === '' || rows.has(name) || (constants.rankOf(name) ?? 2) < 2)
  return isSame && isLast && areKnown && value!.axis < value!.rank - 1 ? value : undefined
}

/** Softmax of older opsets takes all axes after its own together. */
const softmax: Rule = (node, known) => (node.ints.axis === undefined ? undefined : alongRow(node, known))

/** Parts of a row, or rows side by side. */
const alongLast: Rule = ({ inputs, ints }, { rows, constants }) => {
  const values = inputs.filter((name) => !constants.has(name)).map((name) => rows.get(name))
  const [first] = values
  const areAlike = values.every((value) => value?.rank === first?.rank && value?.axis === first?.axis)
  if (first === undefined || !areAlike || first.axis === first.rank - 1) return undefined
  return ints.axis === -1 || ints.axis === first.rank - 1 ? first : undefined
}

/** Rows of a table by ids, or those rows that are wanted. */
const gather: Rule = ({ inputs, ints }, { constants, rows }) => {
  const [from, by] = inputs as [string, string]
  const value = rows.get(from)
  if (value !== undefined) return by === WANTED && ints.axis === value.axis ? value : undefined
  const isTable = constants.rankOf(from) === 2 && (ints.axis ?? 0) === 0
  const ids = rows.get(by)
  return isTable && ids?.rank === 2 && ids.axis === 1 ? { rank: 3, axis: 1 } : undefined
}

const tableOfBlocks: Rule = ({ inputs, ints }, { rows }) => {
  const areConstant = inputs.every((name, i) => i === 1 || !rows.has(name))
  const ids = rows.get(inputs[1] ?? '')
  return areConstant && (ints.gather_axis ?? 0) === 0 && ids?.rank === 2 ? { rank: 3, axis: 1 } : undefined
}

/** Positions are by row, angles by position. */
const rotary: Rule = ({ inputs }, { constants, rows }) => {
  const [x, positions, ...tables] = inputs as [string, string, ...string[]]
  const value = rows.get(x)
  const areTables = rows.has(positions) && tables.every((name) => constants.has(name))
  return areTables && value?.rank === 3 && value.axis === 1 ? value : undefined
}

/** Only what is within a row is taken apart or together. */
const reshape: Rule = ({ inputs, ints }, { graph, producers, rows }) => {
  const from = rows.get(inputs[0]!)
  const shape = integerList(graph, producers, inputs[1] ?? '')
  if (from === undefined || shape === undefined || (ints.allowzero ?? 0) !== 0) return undefined
  const start = shape.findIndex((size) => size !== 0 && size !== 1)
  const copied = start < 0 ? shape.length : start
  // The axis of the rows is named by its place, or it is what is left.
  const isCopied = from.axis < copied && shape[from.axis] === 0
  const axis = isCopied ? from.axis : copied
  const rest = shape.slice(axis + 1)
  const isKnown = isCopied
    ? shape.slice(0, axis).every((size) => size < 2) &&
      rest.filter((size) => size < 1).every((size) => size === -1)
    : shape[axis] === -1 && rest.every((size) => size > 0)
  return isKnown && rest.length > 0 && axis < 2 ? { rank: shape.length, axis: axis as 0 | 1 } : undefined
}

/** What is rounded once, a number at a time, or only moved. */
const EXACT: Readonly<Record<string, Rule>> = {
  Add: elementwise,
  Sub: elementwise,
  Mul: elementwise,
  Div: elementwise,
  Neg: elementwise,
  Cast: elementwise,
  Identity: elementwise,
  Gather: gather,
  [`${MICROSOFT}.GatherBlockQuantized`]: tableOfBlocks,
  Reshape: reshape,
  Split: alongLast,
  Concat: alongLast,
}

const APART: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(
    ['Sigmoid', 'Tanh', 'Erf', 'Relu', 'Gelu', 'Sqrt', 'Pow', 'Exp'].map((name) => [name, elementwise]),
  ),
  ...Object.fromEntries(
    ['Gelu', 'FastGelu', 'QuickGelu', 'BiasGelu'].map((name) => [`${MICROSOFT}.${name}`, elementwise]),
  ),
  MatMul: matmul,
  [`${MICROSOFT}.FusedMatMul`]: matmul,
  [`${MICROSOFT}.MatMulNBits`]: matmul,
  Softmax: softmax,
  LayerNormalization: alongRow,
  SimplifiedLayerNormalization: alongRow,
  RMSNormalization: alongRow,
  [`${MICROSOFT}.SkipLayerNormalization`]: alongRow,
  [`${MICROSOFT}.SkipSimplifiedLayerNormalization`]: alongRow,
  [`${MICROSOFT}.RotaryEmbedding`]: rotary,
}
