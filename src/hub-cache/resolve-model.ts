import { realpathSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { SpoutError } from '../errors.ts'
import { cacheRoot, type Environment, isOffline } from '../hub/hub-environment.ts'
import type { Patience } from '../hub/retry.ts'
import { BrokenFile, checkModelFiles } from '../model/check-model-files.ts'
import { chooseGraph, type DtypeChoice, type GraphFile } from '../model/dtype.ts'
import { graphsBelow } from '../model/graph-files.ts'
import { type HubId, isEtag, parseHubId } from '../model/model-id.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import { statusOf } from '../system/list-files.ts'
import { cacheWarning } from './cache-owner.ts'
import { type CachedModel, cachedModels, isComplete } from './cached-model.ts'
import { type RepoCache, repoCache } from './hub-cache.ts'
import type { Note, Progress } from './progress.ts'
import type { PullRequest } from './pull-model.ts'

// From what the user typed to files on this disk. A path of a folder that exists is that folder; anything else is
// a name on the hub. A cached snapshot that has what is needed is used without asking anyone, and without even loading
// the code that could.

export interface ResolveOptions {
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
  /** Refuse a cache that others can write to, instead of warning. */
  readonly strict?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Waited for before anything is asked of the network. When it rejects, so does the resolving. */
  readonly beforeFetch?: (() => Promise<void>) | undefined
  readonly env?: Environment | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
  readonly note?: Note | undefined
  /** Other than the usual patience with the network. */
  readonly patience?: Partial<Patience> | undefined
}

/**
 * The model's files on this disk, checked, downloaded first where need be. Throws `usage`, `not-found`, `config`, and
 * of a download `unavailable`, `try-later`, `protocol`, `permission`, `cache`; the signal's reason when aborted.
 */
export async function resolveModel(options: ResolveOptions): Promise<ResolvedModel> {
  if (isFolder(options.model)) return resolveFolder(options)
  return resolveHubModel(options)
}

/** A model in a folder, which is used as it is. */
function resolveFolder({ model, dtype = 'auto', name, note }: ResolveOptions): ResolvedModel {
  const folder = resolve(model)
  const graph = chooseGraph(graphsBelow(folder), dtype, name ?? model)
  note?.(`dtype ${graph.dtype}: ${graph.path}`, 'info')
  const found = resolved({ id: name ?? model, revision: undefined, folder, graph })
  checkModelFiles(found)
  return found
}

/** A model of the hub, named and placed. */
interface HubPlace {
  readonly id: HubId
  readonly root: string
  readonly cache: RepoCache
}

/** The same for what can only be a name on the hub. */
export async function resolveHubModel(options: ResolveOptions): Promise<ResolvedModel> {
  const { model, env = process.env, cacheDir, dtype = 'auto', refresh, note } = options
  const id = parseHubId(model)
  const root = cacheRoot(env, cacheDir)
  const place = { id, root, cache: repoCache(root, id.repo) }
  const offline = options.offline || isOffline(env)
  warnOfOthers(place, options)
  const usable = cachedModel(place, { dtype, offline })
  if (usable !== undefined && (!refresh || offline)) {
    note?.(`dtype ${usable.graph.dtype}: ${usable.graph.path}, cached`, 'info')
    return checked(place, usable, options)
  }
  if (offline) throw notCached(options, place)
  await options.beforeFetch?.()
  return checked(place, await pullOrFallBack(place, { ...options, env }), options)
}

/**
 * The cached model to use. Offline the best that is whole; else only the preferred one of those here, and only when
 * nothing is known to be lacking: the rest of it can be had.
 */
function cachedModel({ cache, id }: HubPlace, { dtype, offline }: { dtype: DtypeChoice; offline: boolean }) {
  for (const model of cachedModels(cache, id.revision, dtype)) {
    if (isComplete(model) && (offline || model.lacking.length === 0)) return model
    if (!offline) return undefined
  }
  return undefined
}

/** Downloads what is missing; a hub out of reach is no reason to stop where the cache would do. */
async function pullOrFallBack(
  { id, root, cache }: HubPlace,
  options: ResolveOptions & { env: Environment },
): Promise<Pick<CachedModel, 'commit' | 'graph'>> {
  const { env, signal, onProgress, note, dtype = 'auto', repair = false } = options
  const [{ pullModel }, { PATIENCE }] = await Promise.all([
    import('./pull-model.ts'),
    import('../hub/retry.ts'),
  ])
  const patience = { ...PATIENCE, ...options.patience }
  const request: PullRequest = { id, root, cache, dtype, env, patience, repair, signal, onProgress, note }
  try {
    return await pullModel(request)
  } catch (error) {
    signal?.throwIfAborted()
    const complete = cachedModel({ id, root, cache }, { dtype, offline: true })
    const passing =
      error instanceof SpoutError && (error.code === 'unavailable' || error.code === 'try-later')
    if (!passing || complete === undefined) throw error
    note?.(`${error.message}; the cached model is used`, 'warning')
    return complete
  }
}

/** The files of a cached model, found usable. */
async function checked(
  { id, cache }: HubPlace,
  { commit, graph }: Pick<CachedModel, 'commit' | 'graph'>,
  { name }: ResolveOptions,
): Promise<ResolvedModel> {
  const folder = cache.snapshot(commit)
  const found = resolved({ id: name ?? id.repo, revision: commit, folder, graph })
  try {
    checkModelFiles(found, { repair: repairOf(id) })
  } catch (error) {
    throw error instanceof BrokenFile ? await blame(error, id) : error
  }
  return found
}

/** Whether it is the cache that is damaged, or the model itself was published so. */
async function blame(error: BrokenFile, id: HubId): Promise<SpoutError> {
  try {
    const { blobName } = await import('./blob-hash.ts')
    const blob = realpathSync.native(error.path)
    const { size } = statSync(blob)
    if (
      !isEtag(basename(blob)) ||
      (await blobName(blob, basename(blob), { bytes: size })) === basename(blob)
    ) {
      return error
    }
    const message = `cache is corrupt: ${blob}: ${error.message}`
    return new SpoutError('config', message, { hint: repairOf(id), cause: error })
  } catch {
    return error
  }
}

function repairOf({ repo, revision }: HubId): string {
  return `spout models pull --repair ${repo}${revision === 'main' ? '' : `@${revision}`}`
}

function notCached({ model, dtype = 'auto' }: ResolveOptions, { id, cache }: HubPlace): SpoutError {
  const hint = `with a network: spout models pull ${model}${dtype === 'auto' ? '' : ` --dtype ${dtype}`}`
  const [partial] = cachedModels(cache, id.revision, dtype)
  if (partial !== undefined) {
    return new SpoutError('not-found', `${model}: not cached: ${partial.missing.join(', ')}`, { hint })
  }
  const others = [...cachedModels(cache, id.revision, 'auto')].filter(isComplete)
  if (others.length === 0) return new SpoutError('not-found', `${model}: not cached`, { hint })
  return new SpoutError('not-found', `${model}: dtype ${dtype} is not cached`, {
    hint: `--dtype ${others.map(({ graph }) => graph.dtype).join(' | ')}, or ${hint}`,
  })
}

function warnOfOthers({ root, cache }: HubPlace, { strict, note }: ResolveOptions): void {
  const warning = cacheWarning([root, cache.folder])
  if (warning === undefined) return
  if (strict) throw new SpoutError('permission', warning, { hint: 'chmod go-w, or another HF_HUB_CACHE' })
  note?.(warning, 'warning')
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
  return statusOf(path)?.isDirectory() ?? false
}
