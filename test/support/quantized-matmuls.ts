/** Matmuls of quantized weights that look random, for graphs of a few nodes. */
import { bytesField, concat, varintField } from '../../src/onnx-file/wire.ts'
import { halves, initializer, intAttribute, node } from './tiny-graphs.ts'

const UINT8 = 2

export interface MatmulShape {
  readonly k: number
  readonly n: number
  readonly bits?: number
  readonly level?: number | undefined
  /** Its own domain; that of MatMulNBits unless told otherwise. */
  readonly domain?: string
  readonly hasZeroPoints?: boolean
  /** Of the name of its weights and `.bias`. */
  readonly hasBias?: boolean
  /** Scales and zero points in one row, as older exporters write them. */
  readonly isFlat?: boolean
  /** Rows that share a scale; 32 unless told otherwise. */
  readonly block?: number
  /** Scales that are numbers of fp16. */
  readonly hasHalfScales?: boolean
  /** Scales of fp16, for rows of fp16. */
  readonly isHalf?: boolean
  readonly scaleOf?: (index: number) => number
}

/** The node of `output` = `rows` × the weights `w`. */
export function matmulNode(rows: string, w: string, output: string, shape: MatmulShape): Uint8Array {
  const {
    k,
    n,
    bits = 4,
    level,
    domain = 'com.microsoft',
    hasZeroPoints = false,
    hasBias = false,
    block = 32,
  } = shape
  const attributes = Object.entries({ K: k, N: n, bits, block_size: block }).map(([name, value]) =>
    intAttribute(name, value),
  )
  if (level !== undefined) attributes.push(intAttribute('accuracy_level', level))
  const inputs = [rows, w, `${w}.scales`, ...(hasZeroPoints ? [`${w}.zeros`] : [])]
  if (hasBias) inputs.push(...Array<string>(5 - inputs.length).fill(''), `${w}.bias`)
  return node('MatMulNBits', inputs, [output], { domain, attributes })
}

/** Its weights: codes, scales and zero points. */
export function matmulWeights(w: string, shape: MatmulShape): Uint8Array[] {
  const { k, n, bits = 4, hasZeroPoints = false, hasBias = false, isFlat = false, block = 32 } = shape
  const blocks = k / block
  const step = shape.hasHalfScales ? 1 / 128 : 1 / 100
  const { scaleOf = (i: number) => (1 + (i % 7)) * step } = shape
  const scales = Float32Array.from({ length: n * blocks }, (_, i) => scaleOf(i))
  const zeroBytes = Math.ceil((blocks * bits) / 8)
  return [
    byteTensor(w, [n, blocks, (block * bits) / 8]),
    (shape.isHalf ? halves : initializer)(`${w}.scales`, isFlat ? [n * blocks] : [n, blocks], scales),
    ...(hasZeroPoints ? [byteTensor(`${w}.zeros`, isFlat ? [n * zeroBytes] : [n, zeroBytes])] : []),
    ...(hasBias ? [initializer(`${w}.bias`, [n], new Float32Array(n).fill(0.5))] : []),
  ]
}

export function byteTensor(name: string, dims: readonly number[]): Uint8Array {
  const count = dims.reduce((a, b) => a * b, 1)
  const bytes = Uint8Array.from({ length: count }, (_, i) => (i * 73 + name.length * 31 + 41) % 251)
  const fields = [...dims.map((dim) => varintField(1, dim)), varintField(2, UINT8), bytesField(8, name)]
  return bytesField(5, concat([...fields, bytesField(9, bytes)]))
}
