import { resolve } from 'node:path'
import { SpoutError } from '../../errors.ts'
import { cacheRoot } from '../../hub/hub-environment.ts'
import { repoCache } from '../../hub-cache/hub-cache.ts'
import { removeModel } from '../../hub-cache/remove-model.ts'
import { resolveHubModel, resolveModel } from '../../hub-cache/resolve-model.ts'
import { type CachedSnapshot, scanCache, scanRepo } from '../../hub-cache/scan-cache.ts'
import { verifySnapshot } from '../../hub-cache/verify-model.ts'
import { graphsBelow } from '../../model/graph-files.ts'
import { parseHubId } from '../../model/model-id.ts'
import type { ResolvedModel } from '../../model/resolved-model.ts'
import { describeModel } from '../../open/describe-model.ts'
import { ownCacheFolder } from '../../system/own-cache.ts'
import { bytesText } from '../../system/quantities.ts'
import { escapeText, toJson } from '../../system/text-display.ts'
import type { ModelsAction } from '../models-actions.ts'
import { createDownloadProgress } from '../terminal/download-progress.ts'
import {
  day,
  descriptionJson,
  descriptionText,
  nameOf,
  snapshotJson,
  tableText,
} from '../terminal/model-tables.ts'
import type { ModelsCommand, ModelsIo, ModelsOptions } from './models-io.ts'
import { prepare, preparedLines, prune } from './models-prepared.ts'

// `spout models`: what is in the cache, and what to do with it. Each command prints its result on stdout, as text for
// people or, with --json, as one document; what happens meanwhile goes to stderr.

/** The commands under `spout models`, by name. */
export const modelsCommands: Readonly<Record<ModelsAction, ModelsCommand>> = {
  ...{ list, pull, show, prepare, prune, rm, verify, path },
}

async function list(_models: readonly string[], options: ModelsOptions, io: ModelsIo): Promise<void> {
  const root = cacheRoot(io.env, options.cacheDir)
  const found = scanCache(root).filter((snapshot) => options.all || snapshot.dtypes.length > 0)
  if (options.json) return printJson(io, found.map(snapshotJson))
  if (found.length === 0) return void io.stderr.write(`no models in ${root}\n`)
  const rows = found.map((snapshot) => [
    nameOf(snapshot),
    snapshot.commit.slice(0, 12),
    snapshot.dtypes.join(' ') || '-',
    bytesText(snapshot.size),
    day(snapshot.lastUsed),
  ])
  io.stdout.write(tableText([['MODEL', 'REVISION', 'DTYPES', 'SIZE', 'LAST USED'], ...rows]))
}

async function pull(models: readonly string[], options: ModelsOptions, io: ModelsIo): Promise<void> {
  atLeastOne(models, 'pull')
  const progress = createDownloadProgress(io.stderr, { env: io.env })
  const pulled: object[] = []
  try {
    for (const name of models) {
      const model = await resolveHubModel({
        ...options,
        model: name,
        env: io.env,
        refresh: true,
        note: (text, level) => {
          if (level === 'warning') progress.line(`spout: warning: ${escapeText(text)}`)
          else if (options.verbose) progress.line(`spout: ${escapeText(text)}`)
        },
        onProgress: options.quiet ? undefined : (p) => progress.onProgress(p),
      })
      const { id, revision, dtype, folder, onnxPath } = model
      pulled.push({ id, revision, dtype, folder, onnx_path: onnxPath })
      if (!options.json) io.stdout.write(`${id} ${revision} ${dtype}\n`)
    }
  } finally {
    progress.close()
  }
  if (options.json) printJson(io, pulled)
}

async function show(models: readonly string[], options: ModelsOptions, io: ModelsIo): Promise<void> {
  const described = await Promise.all(atLeastOne(models, 'show').map((name) => cached(name, options, io)))
  const all = described.map((model) => ({ ...describeModel(model), prepared: preparedOf(model, io) }))
  if (options.json) return printJson(io, all.map(descriptionJson))
  io.stdout.write(all.map(descriptionText).join('\n'))
}

/** What is prepared of any graph of a model. */
function preparedOf({ folder }: ResolvedModel, io: ModelsIo): string[] {
  const graphs = graphsBelow(folder).map(({ path }) => resolve(folder, path))
  return preparedLines(ownCacheFolder(io.env), graphs)
}

async function rm(models: readonly string[], options: ModelsOptions, io: ModelsIo): Promise<void> {
  const root = cacheRoot(io.env, options.cacheDir)
  atLeastOne(models, 'rm').forEach(parseHubId)
  const removed = models.map((model) => removeModel(root, model, { dryRun: options.dryRun ?? false }))
  if (options.json) return printJson(io, removed)
  const verb = options.dryRun ? 'would remove' : 'removed'
  for (const { repo, commits, freed } of removed) {
    const which = commits.map((commit) => commit.slice(0, 12)).join(' ')
    io.stdout.write(`${verb} ${repo} ${which} (${bytesText(freed)})\n`)
  }
}

async function verify(models: readonly string[], options: ModelsOptions, io: ModelsIo): Promise<void> {
  const root = cacheRoot(io.env, options.cacheDir)
  const snapshots =
    models.length === 0 ? scanCache(root) : models.flatMap((model) => snapshotsOf(root, model))
  const verdicts = []
  for (const snapshot of snapshots) {
    const onFile = options.verbose
      ? (name: string) => void io.stderr.write(`${escapeText(name)}\n`)
      : undefined
    const verdict = await verifySnapshot(snapshot, { signal: options.signal, onFile })
    verdicts.push(verdict)
    if (options.json) continue
    const bad = [
      ...verdict.corrupt.map((name) => `corrupt: ${name}`),
      ...verdict.missing.map((n) => `missing: ${n}`),
    ]
    const unknown = verdict.unknown.length > 0 ? `, ${verdict.unknown.length} without a known hash` : ''
    io.stdout.write(
      `${nameOf(snapshot)} ${snapshot.commit.slice(0, 12)}: ${verdict.good} files good${unknown}\n`,
    )
    for (const line of bad) io.stdout.write(`  ${escapeText(line)}\n`)
  }
  if (options.json) printJson(io, verdicts)
  const broken = verdicts.filter(({ corrupt, missing }) => corrupt.length + missing.length > 0)
  if (broken.length > 0) throw corruptCache(broken.map(({ repo }) => repo))
}

async function path(models: readonly string[], options: ModelsOptions, io: ModelsIo): Promise<void> {
  const found = await Promise.all(atLeastOne(models, 'path').map((name) => cached(name, options, io)))
  if (!options.json) return void io.stdout.write(found.map(({ folder }) => `${folder}\n`).join(''))
  printJson(
    io,
    found.map(({ id, revision, dtype, folder, onnxPath }) => ({
      id,
      revision,
      dtype,
      folder,
      onnx_path: onnxPath,
    })),
  )
}

function corruptCache(repos: readonly string[]): SpoutError {
  return new SpoutError('config', `cache is corrupt: ${repos.join(', ')}`, {
    hint: `spout models pull --repair ${repos[0]}`,
  })
}

/** A model as it is on this disk. */
function cached(model: string, { dtype, cacheDir, signal }: ModelsOptions, io: ModelsIo) {
  return resolveModel({ model, dtype, cacheDir, signal, env: io.env, offline: true })
}

function snapshotsOf(root: string, model: string): CachedSnapshot[] {
  const { repo, revision } = parseHubId(model)
  const all = scanRepo(repoCache(root, repo))
  const meant = all.filter((s) => !model.includes('@') || s.commit === revision || s.refs.includes(revision))
  if (meant.length > 0) return meant
  throw new SpoutError('not-found', `${model}: not in the cache`, { hint: 'spout models list' })
}

function atLeastOne(models: readonly string[], command: string): readonly string[] {
  if (models.length > 0) return models
  throw new SpoutError('usage', `models ${command}: no model named`, {
    hint: `spout models ${command} org/name`,
  })
}

function printJson(io: ModelsIo, value: unknown): void {
  io.stdout.write(`${toJson(value, 2)}\n`)
}
