/** What is changed of every graph before a processor runs it, prepared or not. */
import type { Graph } from '../onnx-file/graph.ts'
import { withInt8Matmuls } from './accuracy-level.ts'
import { inSinglePrecision } from './single-precision.ts'

export interface ForProcessor {
  readonly graph: Graph
  /** In words, for who asks what became of a model. */
  readonly changes: readonly string[]
  /** It computes in fp32 what the file computes in fp16. */
  readonly isSingle: boolean
}

/**
 * Halves as fp32 where that can be done; after it the graph as the file has it, for an operator may know nothing else.
 * @param precise everything is computed as the file says
 */
export function* forProcessor(file: Graph, precise: boolean): Generator<ForProcessor, undefined> {
  if (!precise) {
    const single = inSinglePrecision(file)
    if (single !== file) yield { ...inInt8(single, ['fp16 computed as fp32']), isSingle: true }
  }
  yield precise ? { graph: file, changes: [], isSingle: false } : { ...inInt8(file, []), isSingle: false }
}

function inInt8(graph: Graph, before: readonly string[]): Omit<ForProcessor, 'isSingle'> {
  const faster = withInt8Matmuls(graph)
  return { graph: faster, changes: faster === graph ? before : [...before, '4-bit matmuls in int8'] }
}
