import { lstatSync, realpathSync, statSync } from 'node:fs'
import { basename, join, posix } from 'node:path'
import { SpoutError } from '../errors.ts'
import { BrokenFile, checkModelFiles } from '../model/check-model-files.ts'
import type { GraphFile } from '../model/dtype.ts'
import { SIDE_FILES } from '../model/graph-files.ts'
import { type HubId, isEtag } from '../model/model-id.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import { statusOf } from '../system/list-files.ts'
import type { CachedModel } from './cached-model.ts'
import { isKnownAbsent, type RepoCache } from './hub-cache.ts'
import { type HubPlace, type ResolveOptions, resolved } from './hub-place.ts'

/** The files of a cached model, found usable. */
export async function checked(
  { id, cache }: HubPlace,
  { commit, graph }: Pick<CachedModel, 'commit' | 'graph'>,
  { name, note }: ResolveOptions,
): Promise<ResolvedModel> {
  const folder = cache.snapshot(commit)
  const found = resolved({ id: name ?? id.repo, revision: commit, folder, graph })
  const repair = `spout models pull --repair ${nameOf(id)}`
  try {
    for (const side of SIDE_FILES) refuseDangling(join(found.folder, side), repair)
    checkModelFiles(found, { repair })
  } catch (error) {
    throw error instanceof BrokenFile ? await blame(error, repair) : error
  }
  if (mayLackTemplate(cache, commit, graph)) note?.(lackingTemplate(id), 'warning')
  return found
}

function nameOf({ repo, revision }: HubId): string {
  return `${repo}${revision === 'main' ? '' : `@${revision}`}`
}

/** A link whose blob is gone is damage, also where a model may do without the file: it had one. */
function refuseDangling(path: string, repair: string): void {
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
  if (isLink && statusOf(path) === undefined) throw new BrokenFile(path, 'its blob is gone', { repair })
}

/** Whether what may hold the chat template is not there although nobody has said that there is none. */
function mayLackTemplate(cache: RepoCache, commit: string, { base }: GraphFile): boolean {
  const config = posix.join(base, 'tokenizer_config.json')
  const names = [config, posix.join(base, 'chat_template.jinja'), posix.join(base, 'chat_template.json')]
  if (names.some((name) => statusOf(cache.file(commit, name)) !== undefined)) return false
  return !isKnownAbsent(cache, commit, config)
}

function lackingTemplate(id: HubId): string {
  const pull = `spout models pull ${nameOf(id)}`
  return `tokenizer_config.json is not in the cache, nor a chat template: ${pull} asks the hub for them`
}

/** What a message about a file that is not what its name says begins with. */
export const CORRUPT = 'cache is corrupt'

/** Whether it is the cache that is damaged, or the model itself was published so. */
async function blame(error: BrokenFile, repair: string): Promise<SpoutError> {
  try {
    const { blobName } = await import('./blob-hash.ts')
    const blob = realpathSync.native(error.path)
    const name = basename(blob)
    if (!isEtag(name)) return error
    if ((await blobName(blob, name, { bytes: statSync(blob).size })) === name) {
      const hint = 'the model was published so: another --dtype or revision, or another model'
      return new SpoutError('config', error.message, { hint, cause: error })
    }
    const message = `${CORRUPT}: ${blob}: ${error.message}`
    return new SpoutError('config', message, { hint: repair, cause: error })
  } catch {
    return error
  }
}

/** The first of these files whose blob's name, a sha256, is not that of its content; `undefined` where none is known to be wrong. */
export function corruptBlob(
  files: readonly { readonly path: string; readonly sha256: string }[],
): string | undefined {
  return files.find(({ path, sha256 }) => {
    const name = basename(realpathSync.native(path))
    return name.length === sha256.length && isEtag(name) && name !== sha256
  })?.path
}

/**
 * What a failure over a file of a model that says to fetch it again is told with: of one in the cache, a plain pull would
 * find all files there.
 */
export function withRepair(
  error: unknown,
  { id, revision }: Pick<ResolvedModel, 'id' | 'revision'>,
): unknown {
  if (!(error instanceof SpoutError) || error.code !== 'config' || revision === undefined) return error
  if (!/(?:download|fetch) .*again/.test(error.hint ?? '')) return error
  const hint = `spout models pull --repair ${id}; if it stays so, the model was published so`
  return new SpoutError('config', error.message, { hint, cause: error })
}
