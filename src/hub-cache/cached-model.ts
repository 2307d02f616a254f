import { lstatSync } from 'node:fs'
import { join, posix } from 'node:path'
import { SpoutError } from '../errors.ts'
import { weightNames } from '../model/check-model-files.ts'
import { type DtypeChoice, type GraphFile, rankGraphs } from '../model/dtype.ts'
import { graphsBelow, SIDE_FILES } from '../model/graph-files.ts'
import { cachedCommit, isKnownAbsent, knownFiles, type RepoCache, snapshotFiles } from './hub-cache.ts'

// What the cache has of a model. A snapshot is complete when the graph, its weights, the tokenizer and a config are
// there; then nobody is asked anything. What else the repository may have counts only where it is known to have it.

export interface CachedModel {
  readonly commit: string
  readonly graph: GraphFile
  /** Files that must be there and are not. */
  readonly missing: readonly string[]
  /** Files the repository is known to have, or the cache once had, that a model may do without. */
  readonly lacking: readonly string[]
}

/** The cached graphs `choice` allows at a revision, the preferred first, each looked at when it is asked for. */
export function* cachedModels(
  cache: RepoCache,
  revision: string,
  choice: DtypeChoice,
): Generator<CachedModel> {
  const commit = cachedCommit(cache, revision)
  if (commit === undefined) return
  const snapshot = cache.snapshot(commit)
  const files = new Set(snapshotFiles(cache, commit))
  const known = knownFiles(cache, commit)
  const isLacking = (name: string) =>
    !files.has(name) &&
    (isLink(join(snapshot, name)) || (known?.has(name) && !isKnownAbsent(cache, commit, name)))
  for (const graph of rankGraphs(graphsBelow(snapshot, [...files]), choice)) {
    const missing = neededFiles(snapshot, graph, files).filter((name) => !files.has(name))
    const lacking = SIDE_FILES.map((name) => posix.join(graph.base, name)).filter(isLacking)
    yield { commit, graph, missing, lacking }
  }
}

/** Of what cannot be opened: a link whose blob is gone. */
function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}

/** Whether a cached model can be used. */
export function isComplete({ missing }: CachedModel): boolean {
  return missing.length === 0
}

/** The files without which a graph is no model. */
function neededFiles(snapshot: string, graph: GraphFile, files: ReadonlySet<string>): string[] {
  const genai = posix.join(graph.base, 'genai_config.json')
  const config = files.has(genai) ? genai : posix.join(graph.base, 'config.json')
  return [config, posix.join(graph.base, 'tokenizer.json'), ...weightsOf(snapshot, graph)]
}

/** The files a graph's weights lie in; a graph that cannot be read has none, and is found out later. */
export function weightsOf(snapshot: string, graph: GraphFile): string[] {
  try {
    const names = weightNames(join(snapshot, graph.path))
    return names.map((name) => posix.join(posix.dirname(graph.path), name))
  } catch (error) {
    if (error instanceof SpoutError) return []
    throw error
  }
}
