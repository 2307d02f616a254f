import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isOffline } from '../hub/hub-environment.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import { statusOf } from '../system/list-files.ts'
import { checked } from './check-cached.ts'
import {
  cachedModel,
  isFolder,
  placeOf,
  type ResolveOptions,
  requestOf,
  resolved,
  resolveFolder,
  warnOfOthers,
} from './hub-place.ts'
import { notCached } from './not-cached.ts'
import type { Survey } from './pull-model.ts'

// What a model is and would take, before its weights are here: of what is not cached the hub is asked for names and
// sizes, and at most the texts are fetched.

/** A model whose texts are on this disk, and perhaps its weights. */
export interface PlannedModel extends ResolvedModel {
  /** Its graph and weights; paths where they are or will be. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[]
  /** Of these files, what is still to be fetched. */
  readonly bytesToFetch: number
}

/** The model without its weights. Throws as `resolveModel` does. */
export async function planModel(options: ResolveOptions): Promise<PlannedModel> {
  if (isFolder(options.model)) return onDisk(resolveFolder(options))
  const { env = process.env, dtype = 'auto', note } = options
  const place = placeOf(options)
  const offline = options.offline || isOffline(env)
  warnOfOthers(place, options)
  const usable = cachedModel(place, { dtype, offline })
  if (usable !== undefined) {
    note?.(`dtype ${usable.graph.dtype}: ${usable.graph.path}, cached`, 'info')
    return onDisk(await checked(place, usable, options))
  }
  if (offline) throw notCached({ ...options, env }, place)
  await options.beforeFetch?.()
  const { surveyTexts } = await import('./pull-model.ts')
  const { commit, graph } = await surveyTexts(await requestOf(place, { ...options, env }))
  const folder = place.cache.snapshot(commit)
  const files = graph.files.map(({ path, bytes }) => ({ path: join(folder, path), bytes }))
  const toFetch = files.filter(({ path, bytes }) => statusOf(path)?.size !== bytes)
  const bytesToFetch = toFetch.reduce((sum, { bytes }) => sum + bytes, 0)
  return {
    ...resolved({ id: options.name ?? place.id.repo, revision: commit, folder, graph }),
    files,
    bytesToFetch,
  }
}

/** The graph, and the files beside it that bear its name: there its weights lie when they are too large for it. */
function onDisk(model: ResolvedModel): PlannedModel {
  const folder = dirname(model.onnxPath)
  const name = basename(model.onnxPath)
  const files = readdirSync(folder)
    .filter((file) => file === name || file.startsWith(`${name}_`) || file.startsWith(`${name}.`))
    .map((file) => ({ path: join(folder, file), bytes: statSync(join(folder, file)).size }))
  return { ...model, files, bytesToFetch: 0 }
}

/** What the hub has of a model, whether or not it is cached; nothing is written. Throws as `resolveModel` does. */
export async function surveyHub(options: ResolveOptions): Promise<Survey & { readonly id: string }> {
  const { env = process.env } = options
  const place = placeOf(options)
  const { surveyModel } = await import('./pull-model.ts')
  return { id: place.id.repo, ...(await surveyModel(await requestOf(place, { ...options, env }))) }
}
