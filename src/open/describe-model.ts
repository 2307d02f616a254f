import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Runs } from '../backend/runs.ts'
import { SpoutError } from '../errors.ts'
import { weightsOf } from '../hub-cache/cached-model.ts'
import type { Survey } from '../hub-cache/pull-model.ts'
import { factsOf } from '../model/check-model-files.ts'
import { CARD, graphsBelow } from '../model/graph-files.ts'
import { kvBytesPerToken } from '../model/kv-size.ts'
import { loadModelConfig } from '../model/model-config.ts'
import type { Dtype, ModelConfig, ResolvedModel } from '../model/resolved-model.ts'
import { samplingDefaults } from '../sampling/generation-defaults.ts'
import type { SamplingOptions } from '../sampling/sampling-params.ts'
import { readJsonFile, readTextFile } from '../system/json-file.ts'
import { statusOf } from '../system/list-files.ts'
import { type ExpectedHow, expectedRuns } from './expect-run.ts'

/** What people ask of a model before they use it. */
export interface ModelDescription {
  readonly id: string
  readonly revision: string | undefined
  /** `undefined` of a model that is not on this disk. */
  readonly folder: string | undefined
  /** The class of the model, as its config names it. */
  readonly architecture: string | undefined
  /** Most tokens of prompt and answer together. */
  readonly contextLength: number | undefined
  /** Of the graph that would be used. */
  readonly kvBytesPerToken: number | undefined
  readonly hasChatTemplate: boolean | undefined
  readonly licence: string | undefined
  readonly graphs: readonly GraphDescription[]
  /** What would run the model here, and how it would choose; `undefined` of a model that is not on this disk. */
  readonly running: Running | undefined
}

export interface Running {
  /** Of the graph that would be used. */
  readonly dtype: Dtype
  /** Why it would not run, in place of what runs it. */
  readonly runs: Runs | { readonly why: string }
  /** The author's. */
  readonly sampling: SamplingOptions
}

interface GraphDescription {
  readonly dtype: Dtype
  readonly file: string
  /** Bytes of graph and weights. */
  readonly size: number
}

/** What the hub tells of a model that is not on this disk. */
export function describeSurvey({ id, commit, graphs }: Survey & { readonly id: string }) {
  const unknown = { architecture: undefined, contextLength: undefined, kvBytesPerToken: undefined }
  return {
    ...{
      ...unknown,
      id,
      revision: commit,
      folder: undefined,
      hasChatTemplate: undefined,
      licence: undefined,
      running: undefined,
    },
    graphs: graphs.map(({ dtype, path, files }) => {
      return { dtype, file: path, size: files.reduce((sum, { bytes }) => sum + bytes, 0) }
    }),
    prepared: [],
  } satisfies ModelDescription & { prepared: readonly string[] }
}

/** Describes a model whose files are on this disk. Throws `config`. */
export async function describeModel(model: ResolvedModel, how: ExpectedHow = {}): Promise<ModelDescription> {
  const config = loadModelConfig(model.folder)
  const [architecture] = [config.raw.architectures].flat()
  return {
    id: model.id,
    revision: model.revision,
    folder: model.folder,
    architecture: typeof architecture === 'string' ? architecture : config.modelType,
    contextLength: config.contextLength,
    kvBytesPerToken: kvBytesPerToken(factsOf(model.onnxPath), config),
    hasChatTemplate: hasChatTemplate(model.folder),
    licence: licenceOf(model.folder),
    graphs: graphsOf(model.folder),
    running: {
      dtype: model.dtype,
      runs: await runsOf(model, config, how),
      sampling: samplingDefaults(config.generation).options,
    },
  }
}

async function runsOf(model: ResolvedModel, config: ModelConfig, how: ExpectedHow): Promise<Running['runs']> {
  try {
    return await expectedRuns(model, config, how)
  } catch (error) {
    if (error instanceof SpoutError) return { why: error.message }
    throw error
  }
}

function graphsOf(folder: string): GraphDescription[] {
  return graphsBelow(folder).flatMap((graph) => {
    const files = [graph.path, ...weightsOf(folder, graph)].map((name) => join(folder, name))
    if (files.some((path) => statusOf(path) === undefined)) return []
    const size = files.reduce((sum, path) => sum + statSync(path).size, 0)
    return [{ dtype: graph.dtype, file: graph.path, size }]
  })
}

/** Whether a model says how messages become a prompt: in a file of its own or in the tokenizer's config. */
function hasChatTemplate(folder: string): boolean {
  if (['chat_template.jinja', 'chat_template.json'].some((name) => statusOf(join(folder, name))?.isFile()))
    return true
  const template = readJsonFile(join(folder, 'tokenizer_config.json'))?.chat_template
  return typeof template === 'string' || Array.isArray(template)
}

/** The licence the model card names, of the folder or of the snapshot the folder is in. */
function licenceOf(folder: string): string | undefined {
  const snapshot = /^.*[\\/]snapshots[\\/][0-9a-f]{40}(?=[\\/]|$)/.exec(folder)?.[0] ?? folder
  const front = /^---\r?\n(.*?)\r?\n---/s.exec(cardIn(snapshot))?.[1] ?? ''
  const field = (name: string) =>
    new RegExp(`^${name}:[ \\t]*["']?([^"'\\r\\n]+)`, 'm').exec(front)?.[1]?.trim()
  const licence = field('license')
  return licence === 'other' ? (field('license_name') ?? licence) : licence
}

/** No model needs its card: one that cannot be read is none. */
function cardIn(snapshot: string): string {
  try {
    return readTextFile(join(snapshot, CARD)) ?? ''
  } catch (error) {
    if (error instanceof SpoutError && error.code === 'config') return ''
    throw error
  }
}
