/** Runs of one attention of ours by the interpreter, as `attendRagged` has them by ONNX Runtime. */
import { attentionKind } from '../../../src/kernels/attention/attention-operator.ts'
import type { Isa } from '../../../src/kernels/isa.ts'
import { placeOf } from '../../../src/onnx-file/tensor-bytes.ts'
import { pagesFor, type RaggedRun, RowsBySequence, raggedRows } from '../attention-graphs.ts'
import { InterpretedKernel, type KernelTensor } from './ort.ts'
import { bytesOf, floatsOf } from './run-own-graph.ts'

/** What comes out of the rows of each sequence. */
export function attendInterpreted(run: RaggedRun, isa: Isa): Float32Array[] {
  const { graph, operators, widths, runs, sequences } = run
  const [shape] = operators!.attentions
  const kernel = new InterpretedKernel(attentionKind(shape!), isa)
  const pages = run.pages ?? pagesFor(run)
  const tables = graph.nodes[0]!.inputs.flatMap((name) => {
    const facts = graph.initializers.get(name)
    return facts === undefined ? [] : [{ dims: facts.dims, bytes: bytesOf(placeOf(graph, name)!) }]
  })
  const pool = { dims: pages.dims, bytes: pages.bytes, isWritten: true }
  const layer = tensor([1], BigInt64Array.of(run.layer ?? 0n))
  const found = new RowsBySequence(sequences.length)
  for (const parts of runs) {
    const count = parts.reduce((sum, part) => sum + part.count, 0)
    const rows = raggedRows(run, pages, parts).map((each, i) => tensor([1, count, widths[i]!], each))
    const made = pages.append(parts)
    const inputs = [
      ...rows,
      pool,
      layer,
      tensor([made.parts.length / 2, 2], made.parts),
      tensor([made.pages.length], made.pages),
      ...tables,
    ]
    found.add(parts, floatsOf(kernel.run(inputs)[0]!))
  }
  return found.all()
}

function tensor(
  dims: readonly number[],
  { buffer, byteOffset, byteLength }: Float32Array | Int32Array | BigInt64Array,
): KernelTensor {
  return { dims, bytes: new Uint8Array(buffer, byteOffset, byteLength) }
}
