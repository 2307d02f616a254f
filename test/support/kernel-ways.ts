/** How kernels run in tests: by the interpreter on every machine, and on the processor where it has the instructions. */

import type { OwnGraph } from '../../src/graph-passes/own-graph.ts'
import { ISAS, type Isa, kernelChoice } from '../../src/kernels/isa.ts'
import { encodeGraph } from '../../src/onnx-file/graph-file.ts'
import { openCApiRuntime } from '../../src/onnx-runtime/c-session.ts'
import type { Runtime } from '../../src/onnx-runtime/runtime.ts'
import { type AttentionRun, attendRagged, type RaggedRun } from './attention-graphs.ts'
import { attendInterpreted } from './interpreter/attend.ts'
import { interpretGraph } from './interpreter/run-own-graph.ts'
import { openInterpretedRuntime } from './interpreter/runtime.ts'
import { type Feed, runGraph } from './run-graph.ts'

export interface Way {
  readonly name: string
  readonly isa: Isa
  readonly isNative: boolean
}

const { isa: best, available } = kernelChoice()
const native = (isa: Isa): Way => ({ name: `${isa} on the processor`, isa, isNative: true })
const interpreted = (isa: Isa): Way => ({ name: `${isa} interpreted`, isa, isNative: false })

/** What every test of kernels runs: the set of this processor, and one that needs none. */
export const WAYS: readonly Way[] = [
  interpreted(best ?? 'avx2'),
  ...(best === undefined ? [] : [native(best)]),
]

/** Every set in every way that there is here: for tests that they are equal. */
export const ALL_WAYS: readonly Way[] = [
  ...ISAS.map(interpreted),
  ...(best === undefined ? [] : available.map(native)),
]

export async function runOwnGraph(
  { isa, isNative }: Way,
  own: OwnGraph,
  feeds: Readonly<Record<string, Feed>>,
  { threads = 1 } = {},
): Promise<Record<string, number[]>> {
  if (!isNative) return interpretGraph(own, feeds, isa)
  const { graph, ...rest } = own
  const { weightsFolder } = graph
  return runGraph({ bytes: encodeGraph(graph), weightsFolder, ...rest }, feeds, { threads, isa })
}

/** What comes out of the rows of each sequence. */
export async function attendSequences({ isa, isNative }: Way, run: RaggedRun): Promise<Float32Array[]> {
  return isNative ? attendRagged({ ...run, isa }) : attendInterpreted(run, isa)
}

/** Of a single sequence, whose rows come in `chunks`. */
export async function attendOwn(
  way: Way,
  { rows, chunks, ...run }: AttentionRun & Pick<RaggedRun, 'operators' | 'pages' | 'layer'>,
): Promise<Float32Array> {
  // A run of no rows is one of no sequences.
  const runs = chunks.map((count) => (count === 0 ? [] : [{ sequence: 0, count }]))
  const [found] = await attendSequences(way, { ...run, sequences: [rows], runs })
  return found!
}

/** For whole models; the session is to be told the set as well. */
export function runtimeOf({ isa, isNative }: Way): Runtime {
  return isNative ? openCApiRuntime() : openInterpretedRuntime(isa)
}
