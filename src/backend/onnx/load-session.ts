/** From a graph file to a session that is ready to run, and how to feed it: the prepared one, or the model's own graph. */
import { basename } from 'node:path'
import { SpoutError } from '../../errors.ts'
import { withInt8Matmuls } from '../../graph-passes/accuracy-level.ts'
import { forProcessor } from '../../graph-passes/for-processor.ts'
import { hasOwnOperators, withOwnOperators } from '../../graph-passes/own-graph.ts'
import { type OwnOperators, operatorNames } from '../../kernels/operators.ts'
import type { ModelConfig } from '../../model/resolved-model.ts'
import { readGraphFile } from '../../onnx-file/graph-file.ts'
import type { Runtime, SessionOptions } from '../../onnx-runtime/runtime.ts'
import type { Runs } from '../runs.ts'
import { describeRuns } from './describe-runs.ts'
import type { Embedder } from './embedder.ts'
import { fingerprintOf, preparedFingerprint } from './fingerprint.ts'
import { gpuVariants } from './gpu-variants.ts'
import { type Decoder, type DecoderOptions, decoderVariants, type OpenedGraph } from './open-decoder.ts'
import { openEmbedder } from './open-embedder.ts'
import { type FeedPlan, makeFeedPlan } from './plan/feed-plan.ts'
import { findPrepared, type PreparedModel } from './prepared/prepared-model.ts'
import { refusedGraph } from './refused-graph.ts'
import { openFirst, TraitError, type Variant } from './variants.ts'

/** A session, how to feed it, and the session that embeds for it where the model is split. */
export interface LoadedSession extends OpenedModel {
  readonly runs: Runs
  /** Nothing was prepared of this model, and it is worth trying. */
  readonly mayPrepare: boolean
}

export interface OpenedModel extends OpenedGraph {
  readonly plan: FeedPlan
  readonly embedder?: Embedder | undefined
  /** What keys and values depend on. */
  readonly fingerprint: string
  /** The logits of a row do not depend, not in the last bit, on the rows beside it, nor on where ids are cut into runs. */
  readonly exactRows: boolean
  dispose(): Promise<void>
}

export interface LoadOptions extends DecoderOptions {
  /** Looks for a prepared model in `cacheFolder`. */
  readonly usePrepared?: boolean | undefined
  /** On the graphics card; the processor computes what that cannot. Only the C API can. */
  readonly onGpu?: boolean | undefined
  /** Matmuls are computed as exactly as the file says. */
  readonly precise?: boolean | undefined
}

/**
 * @throws SpoutError `config` when the graph cannot be read or run, or wants inputs that are not known; `not-found`
 * when a part of a split model is not there.
 */
export async function loadSession(
  runtime: Runtime,
  onnxPath: string,
  config: ModelConfig,
  options: LoadOptions,
): Promise<LoadedSession> {
  const mayUse = mayUsePrepared(runtime, options)
  const prepared = mayUse ? await lookForPrepared(runtime, onnxPath, options) : undefined
  const found = await openFirst(waysToLoad({ runtime, onnxPath, config, options, prepared }))
  const { opened, refused, traits } = found
  const { operators } = opened
  const runs = describeRuns({ runtime, options, operators, traits, refused, prepared })
  const mayPrepare = mayUse && prepared === undefined && opened.embedder === undefined
  return { ...opened, runs, mayPrepare }
}

/**
 * What would run a model, told without a session and without its weights: by the first of the ways, which a run takes unless
 * that fails. @throws SpoutError as `loadSession` does for a graph that cannot be read.
 */
export async function expectRuns(
  runtime: Runtime,
  onnxPath: string,
  config: ModelConfig,
  options: LoadOptions,
): Promise<Runs> {
  const mayUse = mayUsePrepared(runtime, options)
  const prepared = mayUse ? await lookForPrepared(runtime, onnxPath, options) : undefined
  const [traits] = waysToLoad({ runtime, onnxPath, config, options, prepared })
  const isOwn = traits!.kernels === 'own'
  const ownOf = (): OwnOperators | undefined =>
    withOwnOperators(forProcessor(readGraphFile(onnxPath), false).next().value!.graph).own?.operators
  const operators = traits!.graph === 'prepared' ? prepared!.manifest.operators : isOwn ? ownOf() : undefined
  return describeRuns({ runtime, options, operators, traits: traits!, refused: [], prepared })
}

function mayUsePrepared(runtime: Runtime, { usePrepared, onGpu }: LoadOptions): boolean {
  return usePrepared === true && runtime.name === 'c-api' && onGpu !== true
}

async function lookForPrepared(
  runtime: Runtime,
  onnxPath: string,
  { cacheFolder, precise = false }: LoadOptions,
): Promise<PreparedModel | undefined> {
  if (cacheFolder === undefined) return undefined
  return findPrepared(cacheFolder, { onnxPath, precise, runtimeVersion: await runtime.version() })
}

interface ToLoad {
  readonly runtime: Runtime
  readonly onnxPath: string
  readonly config: ModelConfig
  readonly options: LoadOptions
  readonly prepared: PreparedModel | undefined
}

/** What was prepared, if anything; then the model's own graph, which is read only then. */
function* waysToLoad({
  runtime,
  onnxPath,
  config,
  options,
  prepared,
}: ToLoad): Iterable<Variant<OpenedModel>> {
  if (prepared !== undefined && prepared.manifest.refused === undefined) {
    const kernels = prepared.manifest.operators === undefined ? 'runtime' : 'own'
    const open = (): Promise<OpenedModel> => openPreparedModel(runtime, prepared, options)
    yield { device: 'cpu', graph: 'prepared', kernels, head: 'last row', open }
  }
  const file = readGraphFile(onnxPath)
  if (options.onGpu) {
    const graph = options.precise ? file : withInt8Matmuls(file)
    for (const variant of gpuVariants(runtime, { graph, path: onnxPath, options })) {
      const open = async (): Promise<OpenedModel> =>
        completed(await variant.open(), { path: onnxPath, options, runtime, config })
      yield { ...variant, open }
    }
    return
  }
  for (const { graph, isSingle } of forProcessor(file, options.precise ?? false)) {
    const mayBeOwn = !options.precise && runtime.noOwnKernels === undefined && hasOwnOperators(graph)
    const source = { graph, path: onnxPath, options }
    for (const variant of decoderVariants(runtime, source, mayBeOwn ? ['single', 'none'] : ['none'])) {
      const open = async (): Promise<OpenedModel> =>
        completed(await variant.open(), { ...source, runtime, config })
      yield { ...variant, ...(isSingle && { graph: 'fp32' }), open }
    }
  }
}

/** The runtime may not like a prepared graph; what is wrong with the model itself, its own graph will tell. */
async function openPreparedModel(
  runtime: Runtime,
  prepared: PreparedModel,
  options: SessionOptions,
): Promise<OpenedModel> {
  try {
    return await openPrepared(runtime, prepared, options)
  } catch (error) {
    throw refusedGraph(error, basename(prepared.graphPath))
  }
}

/** The session of a prepared model. @throws SpoutError as the runtime does. */
export async function openPrepared(
  runtime: Runtime,
  prepared: PreparedModel,
  options: SessionOptions,
): Promise<OpenedModel> {
  const { folder, graphPath, manifest } = prepared
  const { plan, operators } = manifest
  if (plan === undefined) throw new SpoutError('failed', 'prepared model: there is only a note')
  const own = operators && { operators, weights: [] }
  const source = { bytes: NO_BYTES, path: graphPath, weightsFolder: folder, isOptimized: true, own }
  const session = await runtime.createSession(source, options)
  const fingerprint = preparedFingerprint(manifest)
  const exactRows = manifest.exactRows ?? false
  return { session, operators, plan, fingerprint, exactRows, dispose: () => session.dispose() }
}

const NO_BYTES = new Uint8Array(0)

interface Around {
  readonly runtime: Runtime
  readonly path: string
  readonly config: ModelConfig
  readonly options: LoadOptions
}

/** A decoder with its plan, and with what embeds for it. @throws TraitError, for a head of other rows changes nothing here. */
async function completed(
  { session, operators, rows, graph }: Decoder,
  { runtime, path, config, options }: Around,
): Promise<OpenedModel> {
  const opened: { dispose(): Promise<void> }[] = [session]
  const dispose = async (): Promise<void> => {
    for (const each of opened) await each.dispose()
  }
  try {
    let embedder: Embedder | undefined
    if (!graph.inputs.includes('input_ids') && graph.inputs.includes('inputs_embeds')) {
      embedder = await openEmbedder(runtime, { decoder: session, decoderPath: path, config, options })
      opened.push(embedder)
    }
    const embeddings = embedder && { embeddings: embedder.names }
    const plan = makeFeedPlan({ session, graph, config, rows, ...embeddings })
    const fingerprint = fingerprintOf({
      runtimeVersion: await runtime.version(),
      precise: options.precise ?? false,
      device: options.onGpu ? 'gpu' : 'cpu',
      files: [...graph.files, ...(embedder?.files ?? [])],
      changes: operatorNames(operators),
    })
    // Nothing was tried of it: only what its operators promise.
    const exactRows = plan.ragged === 'exact'
    return { session, operators, plan, embedder, fingerprint, exactRows, dispose }
  } catch (error) {
    await dispose()
    // ONNX Runtime cannot tell the shapes of what comes after kernels of ours.
    throw error instanceof SpoutError && error.code === 'config' ? new TraitError('kernels', error) : error
  }
}
