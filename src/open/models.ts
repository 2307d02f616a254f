/** The models of the library: fetched, listed and prepared, as `spout models` does. */
import { cacheRoot } from '../hub/hub-environment.ts'
import type { FetchIo } from '../hub-cache/fetch-io.ts'
import { resolveHubModel } from '../hub-cache/resolve-model.ts'
import { type CachedSnapshot, scanCache, snapshotName } from '../hub-cache/scan-cache.ts'
import type { DtypeChoice } from '../model/dtype.ts'
import type { Dtype, ResolvedModel } from '../model/resolved-model.ts'
import type { OpenEngineOptions } from './open-options.ts'

/** Where the cache of the hub is, unless the environment says it (`HF_HUB_CACHE`, `HF_HOME`). */
export interface CachePlace {
  readonly cacheDir?: string | undefined
}

export interface PullOptions extends CachePlace, FetchIo {
  /** Default `auto`: what decodes fastest on a processor, of what the repository has. */
  readonly dtype?: DtypeChoice | undefined
  /** Hashes what is cached, and fetches again what is damaged. */
  readonly repair?: boolean | undefined
}

/** A model in the cache: one revision of it. */
export interface ListedModel {
  /** What `openEngine` takes as `model`: `org/name`, or `org/name@revision` where it is not the default branch. */
  readonly id: string
  /** The commit. */
  readonly revision: string
  readonly folder: string
  /** Those that can be used. */
  readonly dtypes: readonly Dtype[]
  /** Those of which some files are missing: a download was broken off. */
  readonly unfinished: readonly Dtype[]
  readonly bytes: number
  /** As far as the file system notes when files are read. */
  readonly lastUsed: Date
}

export interface PrepareOptions extends OpenEngineOptions {
  /** Also what is prepared already. */
  readonly again?: boolean | undefined
}

export interface Prepared {
  readonly model: ResolvedModel
  /** `unchanged`: it was prepared before. `refused`: it runs as it is, and will not start sooner. */
  readonly outcome: 'prepared' | 'unchanged' | 'refused'
  /** Why it was refused. */
  readonly reason?: string
  /** On disk, in spout's own cache. */
  readonly bytes: number
  /** What was changed for speed, one line each. */
  readonly changes: readonly string[]
}

/**
 * Fetches what is not cached yet of `org/name[@revision]`, and asks the hub whether there is something newer. `onProgress` is
 * told how far each file is, `note` what was decided.
 * @throws SpoutError `usage`, `not-found`, `permission`, `unavailable`, `try-later`, `protocol`, `cache`; the signal's reason
 */
export function pull(model: string, options: PullOptions = {}): Promise<ResolvedModel> {
  return resolveHubModel({ ...options, model, refresh: true })
}

/** The models in the cache that can be used, or could once their download is finished, by name. */
export async function list({ cacheDir }: CachePlace = {}): Promise<ListedModel[]> {
  return scanCache(cacheRoot(process.env, cacheDir))
    .filter(({ dtypes, lacking }) => dtypes.length + lacking.length > 0)
    .map(listed)
}

function listed(snapshot: CachedSnapshot): ListedModel {
  const { commit, folder, dtypes, size, lastUsed } = snapshot
  const lacking = snapshot.lacking.map(({ dtype }) => dtype).filter((dtype) => !dtypes.includes(dtype))
  return {
    id: snapshotName(snapshot),
    revision: commit,
    folder,
    dtypes,
    unfinished: [...new Set(lacking)],
    bytes: size,
    lastUsed: new Date(lastUsed),
  }
}

/**
 * Makes what a model starts sooner from, in spout's own cache: it is fetched first where need be, and what was made counts only
 * if it answers as the model itself does. It takes the memory of the model twice, and seconds to minutes.
 * @throws SpoutError as `openEngine` does; `cache` where there is no room, or others can write to the cache
 */
export async function prepare(options: PrepareOptions = {}): Promise<Prepared> {
  const { prepareModel } = await import('./prepare-model.ts')
  const { model, outcome, reason, prepared } = await prepareModel(options)
  const { files, changes } = prepared.manifest
  const bytes = files.reduce((sum, file) => sum + file.size, 0)
  return { model, outcome, ...(reason === undefined ? {} : { reason }), bytes, changes }
}
