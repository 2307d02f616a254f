/** The models that flags name, found in the cache, under the names that requests call them by. */
import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { SpoutError } from '../../errors.ts'
import type { ResolvedModel } from '../../model/resolved-model.ts'
import * as models from '../../open/models.ts'
import { openEngine, resolveFor } from '../../open/open-engine.ts'
import type { ServedModel } from '../../server/shelf.ts'
import { availableMemory } from '../../system/available-memory.ts'
import type { Context } from '../context.ts'
import { engineOptions } from '../engine-options.ts'
import type { Options } from '../options.ts'
import type { ServeOptions } from '../serve-flags.ts'

/** What stands for all models in the cache. */
const CACHED = 'cached'
/** What a prompt may take of a step while others wait for their next piece. */
const STEP_MS = 100
/** Keys, values and what a session needs beside its weights, as a share of them. */
const BESIDE_WEIGHTS = 1.3

/**
 * The first is that of `--model`, which is fetched where need be; the others must be here. They are looked for now, so that
 * what is missing is said at once. @throws SpoutError as the opening of a model does; `usage` for two of one name
 */
export async function servedModels(options: ServeOptions, context: Context): Promise<ServedModel[]> {
  const first = await servedModel(optionsFor(options, options.model), context)
  const others: ServedModel[] = []
  for (const model of await namesOf(options)) {
    others.push(await servedModel({ ...optionsFor(options, model), offline: true }, context))
  }
  const all = [first, ...others.filter(({ name }) => name !== first.name)]
  const twice = all.find(({ name }, i) => all.findIndex((each) => each.name === name) !== i)
  if (twice === undefined) return all
  throw new SpoutError('usage', `models: two are called ${twice.name}`)
}

async function namesOf({ models: lists = [], cacheDir }: ServeOptions): Promise<string[]> {
  const names = lists.flat()
  const cached = names.includes(CACHED) ? await models.list({ cacheDir }) : []
  const usable = cached.filter(({ dtypes }) => dtypes.length > 0).map(({ id }) => id)
  return [...new Set([...names.filter((name) => name !== CACHED), ...usable])]
}

function optionsFor({ keep: _, model: __, ...options }: ServeOptions, model: string | undefined): Options {
  return { ...options, ...(model !== undefined && { model }) }
}

async function servedModel(options: Options, context: Context): Promise<ServedModel> {
  const opening = engineOptions(options, context)
  const resolved = await resolveFor(opening, opening)
  opening.onResolved?.(resolved)
  const bytes = weightBytes(resolved)
  return {
    name: nameOf(resolved),
    // By now all is on this disk: nothing that a request asks for is fetched.
    open: () => openEngine({ ...engineOptions(options, context), offline: true, stepMs: STEP_MS }),
    fits: () => availableMemory() > BESIDE_WEIGHTS * bytes,
  }
}

/** A folder's path is nobody's business. */
function nameOf({ id, folder, revision }: ResolvedModel): string {
  const isPath = revision === undefined && resolve(id) === resolve(folder)
  return isPath ? basename(resolve(folder)) : id
}

/** Of a graph and of the files beside it that are called as it is: where its weights are. */
function weightBytes({ onnxPath }: ResolvedModel): number {
  const folder = dirname(onnxPath)
  const stem = basename(onnxPath)
  return readdirSync(folder)
    .filter((name) => name.startsWith(stem))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}
