/** What kernels of ours in a graph need of a session that is made of it. Plain data. */

import type { BytePlace } from '../onnx-file/tensor-bytes.ts'
import type { MatmulShape } from './matmul/matmul-shape.ts'
import type { OwnOperators } from './operators.ts'

export interface KernelParts {
  readonly operators: OwnOperators
  /** Inputs of the graph that the session lays out, and holds; none where they are in its files. */
  readonly weights: readonly PackedWeight[]
}

/** The weights of a matmul of ours, and of what they are made. */
export interface PackedWeight {
  /** Of the input of the graph. */
  readonly name: string
  readonly shape: MatmulShape
  readonly parts: readonly PackedPart[]
}

export interface PackedPart {
  readonly codes: BytePlace
  readonly scales: BytePlace
  /** Where the columns have zero points of their own. */
  readonly zeros?: BytePlace | undefined
  /** Columns. */
  readonly n: number
  /** Rows that share a scale. */
  readonly scaleRows: number
}
