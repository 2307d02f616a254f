/** From a graph file to a session that is ready to run: read the skeleton, give it `num_logits_to_keep`, load it. */
import type { ModelConfig } from '../../model/resolved-model.ts'
import { makeFeedPlan } from './feed-plan.ts'
import { encodeGraph, readGraphFile } from './graph/graph-file.ts'
import { keepLastRows } from './graph/keep-last-rows.ts'
import type { LoadedSession } from './onnx-backend.ts'
import type { Runtime, SessionOptions } from './runtime/runtime.ts'

/** @throws SpoutError `config` when the graph cannot be read, or wants inputs that are not known. */
export async function loadSession(
  runtime: Runtime,
  onnxPath: string,
  config: ModelConfig,
  options: SessionOptions,
): Promise<LoadedSession> {
  const original = readGraphFile(onnxPath)
  const graph = keepLastRows(original) ?? original
  const source = { bytes: encodeGraph(graph), weightsFolder: graph.weightsFolder }
  const session = await runtime.createSession(source, options)
  try {
    return { session, plan: makeFeedPlan(session, graph, config) }
  } catch (error) {
    await session.dispose()
    throw error
  }
}
