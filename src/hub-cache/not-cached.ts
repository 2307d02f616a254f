import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { SpoutError } from '../errors.ts'
import { type Environment, offlineVariable } from '../hub/hub-environment.ts'
import { isCommit } from '../model/model-id.ts'
import { statusOf } from '../system/list-files.ts'
import { quote } from '../system/text-display.ts'
import { cachedModels, isComplete } from './cached-model.ts'
import type { RepoCache } from './hub-cache.ts'
import type { HubPlace, ResolveOptions } from './hub-place.ts'

/** The error for a model that is not there, or not as it was asked for: what there is, and what to type. */
export function notCached(
  options: ResolveOptions & { env: Environment },
  { id, cache, root }: HubPlace,
): SpoutError {
  const { model, dtype = 'auto', env } = options
  const variable = offlineVariable(env)
  const way = variable === undefined ? 'with a network' : `without ${variable}`
  const pull = `${way}: spout models pull ${model}${typeof dtype !== 'string' || dtype === 'auto' ? '' : ` --dtype ${dtype}`}`
  const fail = (detail: string, first?: string) =>
    new SpoutError('not-found', `${model}: ${detail}`, {
      hint: first === undefined ? pull : `${first}, or ${pull}`,
    })
  const [partial] = cachedModels(cache, id.revision, dtype)
  const others = [...cachedModels(cache, id.revision, 'auto')].filter(isComplete)
  if (partial === undefined && others.length > 0) {
    return fail(
      `dtype ${dtype} is not cached`,
      `--dtype ${others.map(({ graph }) => graph.dtype).join(' | ')}`,
    )
  }
  const commit = commitsIn(cache).find((commit) => [...cachedModels(cache, commit, dtype)].some(isComplete))
  if (commit !== undefined) {
    const detail = `the cache has no ${quote(id.revision)} of it, but the snapshot ${commit.slice(0, 12)}`
    return fail(detail, `-m ${id.repo}@${commit}`)
  }
  if (partial !== undefined) return fail(`not cached: ${partial.missing.join(', ')}`)
  const parts = statusOf(cache.folder) === undefined ? '' : ', only parts of it'
  return fail(`not cached${parts} (looked in ${root})`)
}

/** The snapshots there are, whatever the refs say. */
function commitsIn(cache: RepoCache): string[] {
  try {
    return readdirSync(join(cache.folder, 'snapshots')).filter(isCommit).sort()
  } catch {
    return []
  }
}
