import { resolve } from 'node:path'
import { SpoutError } from '../../errors.ts'
import { cacheRoot, offlineVariable } from '../../hub/hub-environment.ts'
import { CORRUPT } from '../../hub-cache/check-cached.ts'
import { repoCache } from '../../hub-cache/hub-cache.ts'
import { removeModel } from '../../hub-cache/remove-model.ts'
import { resolveHubModel, resolveModel } from '../../hub-cache/resolve-model.ts'
import {
  type CachedSnapshot,
  scanCache,
  scanRepo,
  scanUnfinished,
  snapshotName,
} from '../../hub-cache/scan-cache.ts'
import { verifySnapshot } from '../../hub-cache/verify-model.ts'
import { graphsBelow } from '../../model/graph-files.ts'
import { parseHubId } from '../../model/model-id.ts'
import type { ResolvedModel } from '../../model/resolved-model.ts'
import { describeModel, describeSurvey } from '../../open/describe-model.ts'
import { trialLines } from '../../open/device-trial.ts'
import { bytesText } from '../../system/quantities.ts'
import { spoutCacheFolder } from '../../system/spout-cache.ts'
import { escapeText, toJson } from '../../system/text-display.ts'
import type { ModelsAction } from '../models-actions.ts'
import { createDownloadProgress } from '../terminal/download-progress.ts'
import {
  day,
  descriptionJson,
  descriptionText,
  dtypesText,
  type ShownModel,
  snapshotJson,
  tableText,
  unfinishedJson,
} from '../terminal/model-tables.ts'
import type { ModelsCommand, ModelsIo, ModelsOptions } from './models-io.ts'
import { prepare, preparedLines, prune, removePreparedOf } from './models-prepared.ts'

// `spout models`: what is in the cache, and what to do with it. Each command prints its result on stdout, as text for
// people or, with --json, as one document; what happens meanwhile goes to stderr.

/** The commands under `spout models`, by name. */
export const modelsCommands: Readonly<Record<ModelsAction, ModelsCommand>> = {
  ...{ list, pull, show, prepare, prune, rm, verify, path },
}

async function list(_models: readonly string[], options: ModelsOptions, io: ModelsIo): Promise<void> {
  const root = cacheRoot(io.env, options.cacheDir)
  const found = scanCache(root).filter(
    ({ dtypes, lacking }) => options.all || dtypes.length + lacking.length > 0,
  )
  const unfinished = scanUnfinished(root)
  if (options.json) return printJson(io, [...found.map(snapshotJson), ...unfinished.map(unfinishedJson)])
  if (found.length + unfinished.length === 0) return void io.stderr.write(`no models in ${root}\n`)
  const rows = found.map((snapshot) => [
    snapshotName(snapshot),
    snapshot.commit.slice(0, 12),
    dtypesText(snapshot),
    bytesText(snapshot.size),
    day(snapshot.lastUsed),
  ])
  for (const { repo, bytes, lastWritten } of unfinished) {
    rows.push([repo, '-', 'half received', bytesText(bytes), day(lastWritten)])
  }
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
  const all = await Promise.all(atLeastOne(models, 'show').map((name) => shown(name, options, io)))
  if (options.json) return printJson(io, all.map(descriptionJson))
  io.stdout.write(all.map(descriptionText).join('\n'))
}

/** A model as it is on this disk; of one that is not there, what the hub has. */
async function shown(name: string, options: ModelsOptions, io: ModelsIo): Promise<ShownModel> {
  try {
    const model = await cached(name, options, io)
    return {
      ...(await describeModel(model, options.how)),
      prepared: preparedOf(model, io),
      device: deviceOf(model, io),
    }
  } catch (error) {
    const isAbsent = error instanceof SpoutError && error.code === 'not-found'
    if (!isAbsent || options.offline || offlineVariable(io.env) !== undefined) throw error
    const { cacheDir, signal, patience } = options
    const { surveyHub } = await import('../../hub-cache/plan-model.ts')
    return describeSurvey(await surveyHub({ model: name, cacheDir, signal, patience, env: io.env }))
  }
}

/** What is prepared of any graph of a model. */
function preparedOf({ folder }: ResolvedModel, io: ModelsIo): string[] {
  const graphs = graphsBelow(folder).map(({ path }) => resolve(folder, path))
  return preparedLines(spoutCacheFolder(io.env), graphs)
}

/** Where the answers of any graph of a model come sooner from. */
function deviceOf({ folder }: ResolvedModel, io: ModelsIo): string[] {
  const graphs = graphsBelow(folder).map(({ path }) => resolve(folder, path))
  return trialLines(spoutCacheFolder(io.env), graphs)
}

async function rm(models: readonly string[], options: ModelsOptions, io: ModelsIo): Promise<void> {
  const root = cacheRoot(io.env, options.cacheDir)
  atLeastOne(models, 'rm').forEach(parseHubId)
  const dryRun = options.dryRun ?? false
  const removed = models.map((model) => {
    const gone = removeModel(root, model, { dryRun })
    const folders = gone.commits.map((commit) => repoCache(root, gone.repo).snapshot(commit))
    return { ...gone, prepared: removePreparedOf(spoutCacheFolder(io.env), folders, dryRun) }
  })
  if (options.json) return printJson(io, removed)
  const verb = dryRun ? 'would remove' : 'removed'
  for (const { repo, commits, freed, prepared } of removed) {
    const which = commits.map((commit) => commit.slice(0, 12)).join(' ')
    const more = prepared === 0 ? '' : `, and ${bytesText(prepared)} prepared of it`
    io.stdout.write(`${verb} ${repo} ${which} (${bytesText(freed)})${more}\n`)
  }
}

async function verify(models: readonly string[], options: ModelsOptions, io: ModelsIo): Promise<void> {
  const root = cacheRoot(io.env, options.cacheDir)
  const snapshots =
    models.length === 0 ? scanCache(root) : models.flatMap((model) => snapshotsOf(root, model))
  const verdicts = []
  const named = models.map((model) => parseHubId(model).repo)
  const unfinished = scanUnfinished(root).filter(({ repo }) => named.length === 0 || named.includes(repo))
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
      `${snapshotName(snapshot)} ${snapshot.commit.slice(0, 12)}: ${verdict.good} files good${unknown}\n`,
    )
    for (const line of bad) io.stdout.write(`  ${escapeText(line)}\n`)
  }
  if (options.json) printJson(io, verdicts)
  else
    for (const { repo, bytes } of unfinished) io.stdout.write(`${repo}: ${bytesText(bytes)} half received\n`)
  const corrupt = verdicts.filter((verdict) => verdict.corrupt.length > 0)
  if (corrupt.length > 0) throw corruptCache(corrupt.map(({ repo }) => repo))
  const incomplete = [...verdicts.filter(({ missing }) => missing.length > 0), ...unfinished]
  if (incomplete.length > 0) throw incompleteCache(incomplete.map(({ repo }) => repo))
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
  return new SpoutError('config', `${CORRUPT}: ${repos.join(', ')}`, {
    hint: `spout models pull --repair ${repos[0]}`,
  })
}

/** What was broken off, or lost a blob, a pull makes whole. */
function incompleteCache(repos: readonly string[]): SpoutError {
  return new SpoutError('config', `cache is incomplete: ${[...new Set(repos)].join(', ')}`, {
    hint: `spout models pull ${repos[0]}`,
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
  if (meant.length > 0 || scanUnfinished(root).some((found) => found.repo === repo)) return meant
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
