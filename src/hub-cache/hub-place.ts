import { join, resolve } from 'node:path'
import { cacheRoot, type Environment } from '../hub/hub-environment.ts'
import type { Patience } from '../hub/retry.ts'
import { checkModelFiles } from '../model/check-model-files.ts'
import { chooseGraph, type DtypeChoice, type GraphFile } from '../model/dtype.ts'
import { graphsBelow } from '../model/graph-files.ts'
import { type HubId, parseHubId } from '../model/model-id.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import { listFiles, statusOf } from '../system/list-files.ts'
import { cacheWarning } from './cache-owner.ts'
import { cachedModels, isComplete } from './cached-model.ts'
import type { FetchIo } from './fetch-io.ts'
import { type RepoCache, repoCache } from './hub-cache.ts'
import type { PullRequest } from './pull-model.ts'

// Which model is meant, where it would lie, and what of it is there: what a resolving begins with.

export interface ResolveOptions extends FetchIo {
  /** `org/name[@revision]`, or the path of a folder. */
  readonly model: string
  /** Default `auto`. */
  readonly dtype?: DtypeChoice | undefined
  /** What `ResolvedModel.id` shall be, where `model` is a path the user did not type. */
  readonly name?: string | undefined
  readonly cacheDir?: string | undefined
  /** Ask nobody. HF_HUB_OFFLINE says the same. */
  readonly offline?: boolean | undefined
  /** Ask the hub even where the cache is complete; should it be out of reach, the cache serves with a warning. */
  readonly refresh?: boolean | undefined
  /** With `refresh`: hash what is cached, and fetch again what is damaged. */
  readonly repair?: boolean | undefined
  readonly env?: Environment | undefined
  /** Other than the usual patience with the network. */
  readonly patience?: Partial<Patience> | undefined
}

/** A model of the hub, named and placed. */
export interface HubPlace {
  readonly id: HubId
  readonly root: string
  readonly cache: RepoCache
}

/** Where the model of `options` lies, if it is one of the hub. Throws `usage`. */
export function placeOf({ model, env = process.env, cacheDir }: ResolveOptions): HubPlace {
  const id = parseHubId(model)
  const root = cacheRoot(env, cacheDir)
  return { id, root, cache: repoCache(root, id.repo) }
}

/** What a pull is asked with. */
export async function requestOf(
  { id, root, cache }: HubPlace,
  options: ResolveOptions & { env: Environment },
): Promise<PullRequest> {
  const { env, signal, onProgress, note, dtype = 'auto', repair = false } = options
  const { PATIENCE } = await import('../hub/retry.ts')
  const patience = { ...PATIENCE, ...options.patience }
  return { id, root, cache, dtype, env, patience, repair, signal, onProgress, note }
}

/**
 * The cached model to use. Offline the best that is whole; else only the preferred one of those here, and only when
 * nothing is known to be lacking: the rest of it can be had.
 */
export function cachedModel(
  { cache, id }: HubPlace,
  { dtype, offline }: { dtype: DtypeChoice; offline: boolean },
) {
  for (const model of cachedModels(cache, id.revision, dtype)) {
    if (isComplete(model) && (offline || model.lacking.length === 0)) return model
    if (!offline) return undefined
  }
  return undefined
}

/** A model in a folder, which is used as it is. */
export function resolveFolder({ model, dtype = 'auto', name, note }: ResolveOptions): ResolvedModel {
  const folder = resolve(model)
  const graph = chooseGraph(
    graphsBelow(folder, listFiles(folder, { enterLinks: true })),
    dtype,
    name ?? model,
  )
  note?.(`dtype ${graph.dtype}: ${graph.path}`, 'info')
  const found = resolved({ id: name ?? model, revision: undefined, folder, graph })
  checkModelFiles(found)
  return found
}

/** Says that others can write to the cache. */
export function warnOfOthers({ root, cache }: HubPlace, { note }: ResolveOptions): void {
  const warning = cacheWarning([root, cache.folder])
  if (warning !== undefined) note?.(warning, 'warning')
}

interface Found {
  readonly id: string
  readonly revision: string | undefined
  readonly folder: string
  readonly graph: GraphFile
}

/** A model by the folder of its repository. */
export function resolved({ id, revision, folder, graph }: Found): ResolvedModel {
  return {
    id,
    revision,
    folder: join(folder, graph.base),
    onnxPath: join(folder, graph.path),
    dtype: graph.dtype,
  }
}

/** Whether a model's name is a folder that exists. */
export function isFolder(path: string): boolean {
  return statusOf(path)?.isDirectory() ?? false
}
