/** The ways to run a graph on the graphics card: with the commands of a step recorded where all of it runs there, else without. */
import { SpoutError } from '../../errors.ts'
import { flattenEmbedding } from '../../graph-passes/flat-embedding.ts'
import { keepLastRow } from '../../graph-passes/keep-last-rows.ts'
import { withLengthInputs } from '../../graph-passes/length-inputs.ts'
import type { Graph } from '../../onnx-file/graph-file.ts'
import type { Runtime } from '../../onnx-runtime/runtime.ts'
import { type Decoder, type DecoderSource, openGraph } from './open-decoder.ts'
import type { Variant } from './variants.ts'

/**
 * In the order in which to try them.
 * @throws SpoutError `config` for a model in two parts, where what the first one makes is in memory of the processor, and for
 * keys and values in 8 or 4 bits, which the provider takes and then fails on.
 */
export function gpuVariants(runtime: Runtime, source: DecoderSource): Variant<Decoder>[] {
  if (!source.graph.inputs.includes('input_ids')) {
    throw new SpoutError('config', 'gpu: a model in two parts runs on the processor only', {
      hint: '--device cpu',
    })
  }
  if (source.graph.nodes.some(({ ints }) => (ints.kv_cache_bit_width ?? 0) > 0)) {
    throw new SpoutError('config', 'gpu: keys and values in few bits are for the processor only', {
      hint: '--device cpu',
    })
  }
  const flat = flattenEmbedding(source.graph)
  const lastRow = keepLastRow(flat)
  const recorded = lastRow && withLengthInputs(lastRow)
  return [
    ...(recorded === undefined ? [] : [variantOf(runtime, source, { graph: recorded, isRecorded: true })]),
    ...(lastRow === undefined ? [] : [variantOf(runtime, source, { graph: lastRow })]),
    variantOf(runtime, source, { graph: flat, head: 'all rows' }),
  ]
}

interface GpuGraph {
  readonly graph: Graph
  readonly isRecorded?: boolean
  readonly head?: 'all rows'
}

function variantOf(
  runtime: Runtime,
  source: DecoderSource,
  { graph, isRecorded = false, head }: GpuGraph,
): Variant<Decoder> {
  return {
    device: isRecorded ? 'gpu-recorded' : 'gpu',
    graph: 'original',
    kernels: 'runtime',
    head: head ?? 'last row',
    async open() {
      const options = { ...source.options, device: { kind: 'gpu', isRecorded } as const }
      const cacheFolder = source.options.cacheFolder
      return { ...(await openGraph(runtime, { ...source, graph, options, cacheFolder })), graph }
    },
  }
}
