/**
 * A graph whose quantized matmuls are our own operators. The weights of each, laid out for it, are an input of the graph; a
 * second output of it is the memory that it works in. Matmuls of the same rows may become one; gate and up of an MLP do, with
 * what is made of them.
 */

import type { PackedWeight } from '../kernels/kernel-parts.ts'
import { BLOCK, isMatmulShape, operatorName, packedDims } from '../kernels/matmul/matmul-shape.ts'
import { OWN_DOMAIN, withDomain } from '../onnx-file/domains.ts'
import { FLOAT, UINT8 } from '../onnx-file/fields.ts'
import type { Graph, GraphNode } from '../onnx-file/graph.ts'
import { makeInput, makeNode } from '../onnx-file/make-parts.ts'
import { placeOf, tensorSlices } from '../onnx-file/tensor-bytes.ts'
import { withoutUnreadWeights } from '../onnx-file/unread.ts'
import { areHalves } from './halves.ts'
import { matmulOf, type QuantizedMatmul } from './quantized-matmul.ts'
import { splitBiases } from './split-bias.ts'
import { stackWith } from './stack-matmuls.ts'
import { fuseSwiglu } from './swiglu.ts'

interface OwnMatmuls {
  readonly graph: Graph
  readonly weights: readonly PackedWeight[]
}

/** The same graph, and no weights, when it has no matmul that we compute. */
export function withOwnMatmuls(graph: Graph, { isStacked = false } = {}): OwnMatmuls {
  const weights: PackedWeight[] = []
  const replaced: string[] = []
  const isFit = (matmul: QuantizedMatmul): boolean => isOwn(graph, matmul)
  const makeOwn = (
    group: readonly QuantizedMatmul[],
    output: string,
    isSwiglu = false,
  ): GraphNode | undefined => {
    const weight = packedWeight(graph, group, { output, isSwiglu })
    if (weight === undefined) return undefined
    weights.push(weight)
    replaced.push(...group.flatMap((matmul) => matmul.weights))
    return ownNode(group[0]!.rows, output, weight)
  }
  const split = splitBiases(graph, isFit)
  const fused = fuseSwiglu(split, {
    isFit,
    makeSwiglu: ({ gate, up }, output) => makeOwn([gate, up], output, true),
  })
  const changed = stackWith(fused, {
    isFit,
    mostBytes: isStacked ? undefined : 0,
    makeMatmul(group, output) {
      const node = makeOwn(group, output)
      return node && [node]
    },
  })
  if (weights.length === 0) return { graph, weights }
  const fed = {
    ...changed,
    inputs: [...changed.inputs, ...weights.map(({ name }) => name)],
    otherFields: [...changed.otherFields, ...weights.map(inputOf)],
    modelFields: withDomain(changed.modelFields, OWN_DOMAIN),
    opTypes: new Set([...changed.opTypes, ...weights.map(({ shape }) => operatorName(shape))]),
  }
  return { graph: withoutUnreadWeights(fed, new Set(replaced)), weights }
}

/** Whether a graph has a matmul that we may compute. */
export function hasOwnMatmuls(graph: Graph): boolean {
  const isFit = (matmul: QuantizedMatmul): boolean => isOwn(graph, matmul)
  return splitBiases(graph, isFit).nodes.some((node) => {
    const matmul = matmulOf(graph, node)
    return matmul !== undefined && isFit(matmul)
  })
}

/** Rounded to int8 by a scale for 32 rows or a multiple, around the middle of the codes or zero points as whole as they. */
function isOwn(graph: Graph, { node, n, weights }: QuantizedMatmul): boolean {
  const { K: k = 0, bits = 4, block_size: block = 0, accuracy_level: level } = node.ints
  const isOurs = level === 4 && (bits === 4 || bits === 8) && weights.length <= 3
  const isWhole = k % block === 0 && block % BLOCK === 0 && block <= MOST_SCALE_ROWS
  if (!isOurs || !isWhole || !isMatmulShape({ k, n, bits, scaleBytes: 4 })) return false
  const [codes, scales, zeros] = weights.map((name) => graph.initializers.get(name)!)
  const [codesPlace, scalesPlace, zerosPlace] = weights.map((name) => placeOf(graph, name))
  const hasAll = codesPlace?.length === (n * k * bits) / 8 && scalesPlace?.length === (4 * n * k) / block
  const zeroBytes = n * Math.ceil(((k / block) * bits) / 8)
  const hasZeros = zeros === undefined || (zeros.type === UINT8 && zerosPlace?.length === zeroBytes)
  return codes!.type === UINT8 && scales!.type === FLOAT && hasAll && hasZeros
}

/** Of a scale: more would be much code to lay them out. */
const MOST_SCALE_ROWS = 256

interface Target {
  readonly output: string
  readonly isSwiglu: boolean
}

function packedWeight(
  graph: Graph,
  group: readonly QuantizedMatmul[],
  { output, isSwiglu }: Target,
): PackedWeight | undefined {
  const { K: k = 0, bits = 4, block_size: scaleRows = 0 } = group[0]!.node.ints
  const parts = group.map(({ n, weights }) => {
    const [codes, scales, zeros] = weights.map((name) => placeOf(graph, name)!)
    return { codes: codes!, scales: scales!, zeros, n, scaleRows }
  })
  const n = parts.reduce((sum, part) => sum + part.n, 0)
  const scaleBytes = group.every((matmul) => hasHalfScales(graph, matmul)) ? 2 : 4
  const size = isSwiglu ? { n: n / group.length, isSwiglu } : { n }
  const zeros = group.some((matmul) => hasZeros(graph, matmul)) ? { hasZeros: true } : {}
  const shape = { k, bits, scaleBytes, ...size, ...zeros }
  return isMatmulShape(shape) ? { name: `spout.packed.${output}`, shape, parts } : undefined
}

/** Whether one of its zero points is another than half of what the bits count. */
function hasZeros(graph: Graph, { node, weights }: QuantizedMatmul): boolean {
  if (weights.length < 3) return false
  const usual = (node.ints.bits ?? 4) === 4 ? 0x88 : 0x80
  for (const slice of tensorSlices(graph, weights[2]!, SLICE)) {
    if (slice.some((byte) => byte !== usual)) return true
  }
  return false
}

function hasHalfScales(graph: Graph, { weights }: QuantizedMatmul): boolean {
  for (const { buffer, byteOffset, length } of tensorSlices(graph, weights[1]!, SLICE)) {
    if (!areHalves(new Float32Array(buffer, byteOffset, length / 4))) return false
  }
  return true
}

const SLICE = 1 << 18

function ownNode(rows: string, output: string, { name, shape }: PackedWeight): GraphNode {
  return makeNode(operatorName(shape), {
    inputs: [rows, name],
    outputs: [output, `spout.rounded.${output}`],
    domain: OWN_DOMAIN,
  })
}

function inputOf({ name, shape }: PackedWeight): Uint8Array {
  return makeInput(name, { type: UINT8, dims: packedDims(shape) })
}
