import type { GraphInput, OnnxFacts } from '../onnx-file/onnx-facts.ts'
import type { ModelConfig } from './resolved-model.ts'

/** Bytes of an element, by TensorProto.DataType: float, uint8, int8, float16, bfloat16. */
const ELEMENT_BYTES: Readonly<Record<number, number>> = { 1: 4, 2: 1, 3: 1, 10: 2, 16: 2 }

/**
 * Bytes the KV cache grows by with each token: the sum over the graph's past inputs `[batch, kv heads, tokens, head size]`,
 * where the graph leaves a size open that of the config. `undefined` where neither tells.
 */
export function kvBytesPerToken(facts: OnnxFacts, config: ModelConfig): number | undefined {
  const sizes = facts.inputs.filter(isPast).map((input) => bytesOf(input, config))
  if (sizes.length === 0 || sizes.some(Number.isNaN)) return undefined
  return sizes.reduce((sum, size) => sum + size, 0)
}

function isPast({ name, dims }: GraphInput): boolean {
  return dims.length === 4 && /past|cache/.test(name) && /key|value/.test(name.replace('past_key_values', ''))
}

function bytesOf({ dims, elementType }: GraphInput, config: ModelConfig): number {
  const heads = dims[1] ?? config.kvHeads ?? Number.NaN
  const headSize = dims[3] ?? config.headDim ?? Number.NaN
  return heads * headSize * (ELEMENT_BYTES[elementType] ?? Number.NaN)
}

/** The same as config.json and the dtype's name let expect, of a graph that is not here. */
export function kvBytesToldBy({ layers, kvHeads, headDim }: ModelConfig, dtype: string): number | undefined {
  if (layers === undefined || kvHeads === undefined || headDim === undefined) return undefined
  return 2 * layers * kvHeads * headDim * (dtype.endsWith('f16') || dtype === 'fp16' ? 2 : 4)
}
