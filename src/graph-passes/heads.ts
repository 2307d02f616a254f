/**
 * The head of a graph: the matmuls with a constant weight that make the logits, and whether the logits of a row follow from
 * that row alone. They do where all that stands between head and logits works element by element, and what it takes beside
 * the rows is the same for every row.
 */
import { MICROSOFT } from '../onnx-file/fields.ts'
import { type GraphBody, type GraphNode, producersOf, readersOf } from '../onnx-file/graph.ts'
import { innerNames } from '../onnx-file/unread.ts'
import { type Constants, constantsOf } from './constants.ts'

interface Heads {
  /** More than one where the logits are a sum, as of a head and its low-rank change. */
  readonly matmuls: readonly GraphNode[]
  /** Each row of the logits follows from one row of what the matmuls are given. */
  readonly areRowByRow: boolean
  /** So that, as well, nothing else would notice if the matmuls were given fewer rows. */
  readonly mayBeCut: boolean
}

/** Matmuls of the rows, their first input, with a weight. */
const MATMULS: Readonly<Record<string, Matmul>> = {
  MatMul: { domain: '', hasMatrix: true, scalars: [] },
  MatMulInteger: { domain: '', hasMatrix: true, scalars: [2] },
  FusedMatMul: { domain: MICROSOFT, hasMatrix: true, scalars: [] },
  MatMulIntegerToFloat: { domain: MICROSOFT, hasMatrix: true, scalars: [2, 4] },
  MatMulNBits: { domain: MICROSOFT, hasMatrix: false, scalars: [] },
  MatMulBnb4: { domain: MICROSOFT, hasMatrix: false, scalars: [] },
}

interface Matmul {
  readonly domain: string
  /** The weight is multiplied as it is: with three axes it would give the rows one more. */
  readonly hasMatrix: boolean
  /** Inputs that might be given by row. */
  readonly scalars: readonly number[]
}

/** What stands between the head and the output in known graphs: casts, scales and soft caps. */
const ELEMENTWISE = new Set(['Cast', 'Mul', 'Div', 'Add', 'Sub', 'Tanh', 'Identity'])
/** Known to make one value of several: behind them a head is looked for all the same. */
const MIXING =
  /^(Reduce\w+|Softmax|LogSoftmax|CumSum|Mean|Sum|Max|Min|MatMul|Transpose|LayerNormalization|LpNormalization|Where)$/

const MOST_STEPS = 12

/** @param outer constants of the graphs around this one. */
export function findHeads(body: GraphBody, logits: string, outer?: Constants): Heads {
  const constants = constantsOf(body, outer)
  const producers = producersOf(body)
  const matmuls = new Set<GraphNode>()
  const known = new Map<string, boolean>()
  const walk = (name: string, steps: number): boolean => {
    const before = known.get(name)
    if (before !== undefined) return before
    known.set(name, false)
    const node = producers.get(name)
    if (node === undefined || steps === 0) return false
    if (isHead(node, constants)) {
      matmuls.add(node)
      known.set(name, isPlain(node, constants))
      return known.get(name)!
    }
    if (!isElementwise(node) && !MIXING.test(node.opType)) return false
    const rows = node.inputs.filter((input) => input !== '' && !constants.isSameForRows(input))
    const areRows = rows.map((input) => walk(input, steps - 1))
    known.set(name, isElementwise(node) && rows.length > 0 && areRows.every(Boolean))
    return known.get(name)!
  }
  const isProved = walk(logits, MOST_STEPS)
  const path = [...known].filter(([, isRows]) => isRows).map(([name]) => name)
  return {
    matmuls: [...matmuls],
    areRowByRow: isProved,
    mayBeCut: isProved && areOnlyFor(body, path, logits),
  }
}

/**
 * Whether what stands behind the head makes the logits of a row of other rows as well: then the logits depend on how many ids
 * a run has.
 */
export function mixesRows(body: GraphBody, logits: string, outer?: Constants): boolean {
  const last = producersOf(body).get(logits)
  if (last?.opType === 'If') {
    const at = last.outputs.indexOf(logits)
    const constants = constantsOf(body, outer)
    return last.bodies.some((branch) => mixesRows(branch, branch.outputs[at] ?? '', constants))
  }
  const { matmuls, areRowByRow } = findHeads(body, logits, outer)
  return matmuls.length > 0 && !areRowByRow
}

function isElementwise({ opType, domain, ints }: GraphNode): boolean {
  const isAlongRow = /^(Log)?Softmax$/.test(opType) && ints.axis === -1
  return domain === '' && (ELEMENTWISE.has(opType) || isAlongRow)
}

function isHead({ opType, domain, inputs }: GraphNode, constants: Constants): boolean {
  return MATMULS[opType]?.domain === domain && constants.has(inputs[1] ?? '')
}

/** Its rows are along the axis before the last, as many as it is given, and each is multiplied alike. */
function isPlain({ opType, inputs, ints }: GraphNode, constants: Constants): boolean {
  const { hasMatrix, scalars } = MATMULS[opType]!
  const others = inputs.slice(2).filter((name, i) => name !== '' && !scalars.includes(i + 2))
  return (
    (ints.transA ?? 0) === 0 &&
    (ints.transBatchA ?? 0) === 0 &&
    (!hasMatrix || constants.rankOf(inputs[1]!) === 2) &&
    scalars.every((at) => (inputs[at] ?? '') === '' || constants.isScalar(inputs[at]!)) &&
    others.every((name) => constants.has(name))
  )
}

/** Nobody else takes the values of `path`: neither other nodes, nor nodes in bodies, nor who runs the graph. */
function areOnlyFor(body: GraphBody, path: readonly string[], logits: string): boolean {
  const names = new Set(path)
  const readers = readersOf(body)
  const inner = innerNames(body)
  return path.every((name) => {
    const isOutput = body.outputs.includes(name)
    if (inner.has(name) || isOutput !== (name === logits)) return false
    return (readers.get(name) ?? []).every(({ outputs }) => outputs.every((output) => names.has(output)))
  })
}
