import { SpoutError } from '../errors.ts'
import { type Environment, isOffline } from '../hub/hub-environment.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import type { CachedModel } from './cached-model.ts'
import { checked } from './check-cached.ts'
import {
  cachedModel,
  type HubPlace,
  isFolder,
  placeOf,
  type ResolveOptions,
  requestOf,
  resolveFolder,
  warnOfOthers,
} from './hub-place.ts'
import { notCached } from './not-cached.ts'

export type { ResolveOptions } from './hub-place.ts'

// From what the user typed to files on this disk. A path of a folder that exists is that folder; anything else is
// a name on the hub. A cached snapshot that has what is needed is used without asking anyone, and without even loading
// the code that could.

/**
 * The model's files on this disk, checked, downloaded first where need be. Throws `usage`, `not-found`, `config`, and
 * of a download `unavailable`, `try-later`, `protocol`, `permission`, `cache`; the signal's reason when aborted.
 */
export async function resolveModel(options: ResolveOptions): Promise<ResolvedModel> {
  if (isFolder(options.model)) return resolveFolder(options)
  return resolveHubModel(options)
}

/** The same for what can only be a name on the hub. */
export async function resolveHubModel(options: ResolveOptions): Promise<ResolvedModel> {
  const { env = process.env, dtype = 'auto', refresh, note } = options
  const place = placeOf(options)
  const offline = options.offline || isOffline(env)
  warnOfOthers(place, options)
  const usable = cachedModel(place, { dtype, offline })
  if (usable !== undefined && (!refresh || offline)) {
    note?.(`dtype ${usable.graph.dtype}: ${usable.graph.path}, cached`, 'info')
    return checked(place, usable, options)
  }
  if (offline) throw notCached({ ...options, env }, place)
  await options.beforeFetch?.()
  return checked(place, await pullOrFallBack(place, { ...options, env }), options)
}

/** Downloads what is missing; a hub out of reach is no reason to stop where the cache would do. */
async function pullOrFallBack(
  place: HubPlace,
  options: ResolveOptions & { env: Environment },
): Promise<Pick<CachedModel, 'commit' | 'graph'>> {
  const { signal, note, dtype = 'auto' } = options
  const { pullModel } = await import('./pull-model.ts')
  try {
    return await pullModel(await requestOf(place, options))
  } catch (error) {
    signal?.throwIfAborted()
    const complete = cachedModel(place, { dtype, offline: true })
    const passing =
      error instanceof SpoutError && (error.code === 'unavailable' || error.code === 'try-later')
    if (!passing || complete === undefined) throw error
    note?.(`${error.message}; the cached model is used`, 'warning')
    return complete
  }
}
