import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { SpoutError } from '../errors.ts'
import { chooseGraph, type DtypeChoice, type GraphFile } from './dtype.ts'
import { findGraphs, genaiDecoder, genaiFolders } from './graph-files.ts'
import { cachedCommit, repoCache, snapshotFiles } from './hub-cache.ts'
import { cacheRoot, type Environment } from './hub-environment.ts'
import { readJsonFile } from './json-file.ts'
import { listFiles } from './list-files.ts'
import { parseHubId } from './model-id.ts'
import type { ResolvedModel } from './resolved-model.ts'

// From what the user typed to files on this disk. A path of a folder that exists is that folder; anything else is
// a name on the hub. A cached snapshot that has what is needed is used without asking anyone.

export interface ResolveOptions {
  /** `org/name[@revision]`, or the path of a folder. */
  readonly model: string
  /** Default `auto`. */
  readonly dtype?: DtypeChoice | undefined
  /** What `ResolvedModel.id` shall be, where `model` is a path the user did not type. */
  readonly name?: string | undefined
  readonly cacheDir?: string | undefined
  readonly offline?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly env?: Environment | undefined
  /** Told what was decided (`info`) and what should be looked at (`warning`). */
  readonly note?: Note | undefined
}

export type Note = (text: string, level: 'info' | 'warning') => void

/** The model's files on this disk. Throws `usage`, `not-found`, `config`. */
export async function resolveModel(options: ResolveOptions): Promise<ResolvedModel> {
  return isFolder(options.model) ? resolveFolder(options) : resolveCached(options)
}

/** A model in a folder, which is used as it is. */
function resolveFolder({ model, dtype = 'auto', name, note }: ResolveOptions): ResolvedModel {
  const folder = resolve(model)
  const graph = chooseGraph(graphsBelow(folder), dtype, name ?? model)
  note?.(`dtype ${graph.dtype}: ${graph.path}`, 'info')
  return resolved({ id: name ?? model, revision: undefined, folder, graph })
}

function resolveCached({ model, dtype = 'auto', name, cacheDir, env = process.env, note }: ResolveOptions) {
  const { repo, revision } = parseHubId(model)
  const cache = repoCache(cacheRoot(env, cacheDir), repo)
  const commit = cachedCommit(cache, revision)
  if (commit === undefined || snapshotFiles(cache, commit).length === 0) {
    throw new SpoutError('not-found', `${model}: not in the cache`, { hint: `spout models pull ${model}` })
  }
  const folder = cache.snapshot(commit)
  const graph = chooseGraph(graphsBelow(folder), dtype, model)
  note?.(`dtype ${graph.dtype}: ${graph.path}`, 'info')
  return resolved({ id: name ?? repo, revision: commit, folder, graph })
}

/** The graphs in a folder of this disk. */
export function graphsBelow(folder: string): GraphFile[] {
  const files = listFiles(folder)
  const decoders = genaiFolders(files).flatMap((base) => {
    const decoder = genaiDecoder(readJsonFile(join(folder, base, 'genai_config.json')) ?? {})
    return decoder === undefined ? [] : [[base, decoder] as const]
  })
  return findGraphs(files, new Map(decoders))
}

interface Found {
  readonly id: string
  readonly revision: string | undefined
  readonly folder: string
  readonly graph: GraphFile
}

function resolved({ id, revision, folder, graph }: Found): ResolvedModel {
  return {
    id,
    revision,
    folder: join(folder, graph.base),
    onnxPath: join(folder, graph.path),
    dtype: graph.dtype,
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
