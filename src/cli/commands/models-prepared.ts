// `spout models prepare` and `prune`: what is made for a quick start, and how it is given up.
import { rmSync } from 'node:fs'
import { sep } from 'node:path'
import {
  listPrepared,
  prunePrepared,
  removeSmall,
  type StoredModel,
  surplus,
} from '../../backend/onnx/prepared/prepared-store.ts'
import { SpoutError } from '../../errors.ts'
import { CORRUPT } from '../../hub-cache/check-cached.ts'
import { type Preparation, prepareModel } from '../../open/prepare-model.ts'
import { bytesText } from '../../system/quantities.ts'
import { spoutCacheFolder } from '../../system/spout-cache.ts'
import { escapeText, toJson } from '../../system/text-display.ts'
import type { ModelsCommand, ModelsIo, ModelsOptions } from './models-io.ts'

/** Without a name: the model that runs when none is named. */
export const prepare: ModelsCommand = async (models, options, io) => {
  const done: object[] = []
  const corrupt: string[] = []
  for (const model of models.length === 0 ? [undefined] : models) {
    const preparation = await prepareModel({
      ...options,
      model: model ?? options.model,
      note: noteTo(io, options),
    })
    if (options.json) done.push(preparationJson(preparation))
    else if (!options.quiet) io.stdout.write(preparationText(preparation))
    if (preparation.reason?.startsWith(CORRUPT)) corrupt.push(preparation.model.id)
  }
  if (options.json) io.stdout.write(`${toJson(done, 2)}\n`)
  if (corrupt.length > 0) {
    throw new SpoutError('config', `${CORRUPT}: ${corrupt.join(', ')}`, {
      hint: `spout models pull --repair ${corrupt.join(' ')}`,
    })
  }
}

export const prune: ModelsCommand = async (_models, options, io) => {
  const cacheFolder = spoutCacheFolder(io.env)
  // Without a limit only what no run would take goes: of models that are gone, of other versions, never finished.
  const keepBytes = options.keep === undefined ? Number.POSITIVE_INFINITY : 1e9 * options.keep
  const removed = options.dryRun ? surplus(cacheFolder, keepBytes) : prunePrepared(cacheFolder, keepBytes)
  // While anything may stay, what is small may.
  const small = keepBytes === 0 ? removeSmall(cacheFolder, options.dryRun) : 0
  const bytes = removed.reduce((sum, stored) => sum + stored.bytes, small)
  const left = listPrepared(cacheFolder).reduce((sum, stored) => sum + stored.bytes, 0)
  if (options.json) {
    io.stdout.write(`${toJson({ removed: removed.map(storedJson), bytes, left }, 2)}\n`)
    return
  }
  const verb = options.dryRun ? 'would remove' : 'removed'
  io.stdout.write(`${verb} ${removed.length} prepared (${bytesText(bytes)}); ${bytesText(left)} there now\n`)
}

/** Removes what is prepared of graphs in these folders; gives its bytes. @param dryRun only counts them. */
export function removePreparedOf(cacheFolder: string, folders: readonly string[], dryRun: boolean): number {
  const gone = listPrepared(cacheFolder).filter(({ manifest }) => {
    const source = manifest?.sources[0]?.path
    return source !== undefined && folders.some((folder) => source.startsWith(folder + sep))
  })
  if (!dryRun) for (const { folder } of gone) rmSync(folder, { recursive: true, force: true })
  return gone.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** What is prepared of the graphs in `folder`, one line each. */
export function preparedLines(cacheFolder: string, graphs: readonly string[]): string[] {
  return listPrepared(cacheFolder).flatMap(({ manifest, bytes }) => {
    const source = manifest?.sources[0]?.path
    if (manifest === undefined || source === undefined || !graphs.includes(source)) return []
    if (manifest.refused !== undefined) return [`no: ${manifest.refused}`]
    const exactness = manifest.precise ? ['precise'] : manifest.changes
    return [[bytesText(bytes), ...exactness].join(', ')]
  })
}

function noteTo(io: ModelsIo, { quiet, verbose }: ModelsOptions) {
  return (text: string, level: 'info' | 'warning'): void => {
    if (!quiet && (verbose || level === 'warning')) io.stderr.write(`spout: ${escapeText(text)}\n`)
  }
}

function preparationText({ model, outcome, reason, prepared }: Preparation): string {
  const size = prepared.manifest.files.reduce((sum, { size }) => sum + size, 0)
  const words = {
    prepared: `prepared (${[bytesText(size), ...prepared.manifest.changes].join(', ')})`,
    unchanged: `was prepared before (${bytesText(size)}); --again does it anew`,
    refused: `not prepared: ${reason}`,
  }
  return escapeText(`${model.id} ${model.dtype}: ${words[outcome]}`).concat('\n')
}

function preparationJson({ model, outcome, reason, prepared }: Preparation): object {
  const { changes, precise } = prepared.manifest
  const bytes = prepared.manifest.files.reduce((sum, { size }) => sum + size, 0)
  const { id, revision, dtype } = model
  return { id, revision: revision ?? null, dtype, outcome, reason: reason ?? null, bytes, precise, changes }
}

function storedJson({ folder, bytes, usedAt, manifest }: StoredModel): object {
  return {
    folder,
    bytes,
    last_used: new Date(usedAt).toISOString(),
    graph: manifest?.sources[0]?.path ?? null,
  }
}
