/** Runs of one attention of ours by the interpreter, as `attend` has them by ONNX Runtime. */
import { attentionKind } from '../../../src/kernels/attention/attention-operator.ts'
import type { Isa } from '../../../src/kernels/isa.ts'
import { placeOf } from '../../../src/onnx-file/tensor-bytes.ts'
import type { AttentionRun } from '../attention-graphs.ts'
import { InterpretedKernel, type KernelTensor } from './ort.ts'
import { bytesOf, floatsOf } from './run-own-graph.ts'

/** What comes out of all rows, run by run. */
export function attendInterpreted(run: AttentionRun, isa: Isa): Float32Array {
  const { graph, operators, chunks, kvHeads, headDim, capacity = 1024, rows, widths } = run
  const [shape] = operators!.attentions
  const kernel = new InterpretedKernel(attentionKind(shape!), isa)
  const [pastKey, pastValue] = [0, 1].map(() => {
    const numbers = new Float32Array(kvHeads * capacity * headDim).fill(Number.NaN)
    return tensor([1, kvHeads, capacity, headDim], numbers)
  })
  const tables = graph.nodes[0]!.inputs.flatMap((name) => {
    const facts = graph.initializers.get(name)
    return facts === undefined ? [] : [{ dims: facts.dims, bytes: bytesOf(placeOf(graph, name)!) }]
  })
  const shared = new Map([
    [1, rows.length],
    [2, rows.length + 1],
  ])
  let past = 0
  const found = chunks.map((count) => {
    const parts = rows.map((all, i) => {
      const width = widths[i]!
      return tensor([1, count, width], all.slice(past * width, (past + count) * width))
    })
    past += count
    const total = tensor([1, 1], Int32Array.of(past - 1))
    const [output] = kernel.run([...parts, pastKey!, pastValue!, total, ...tables], shared)
    return floatsOf(output!)
  })
  return Float32Array.from(found.flatMap((part) => [...part]))
}

function tensor(dims: readonly number[], { buffer }: Float32Array | Int32Array): KernelTensor {
  return { dims, bytes: new Uint8Array(buffer) }
}
