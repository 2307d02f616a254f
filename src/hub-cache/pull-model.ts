import { setMaxListeners } from 'node:events'
import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import { SpoutError } from '../errors.ts'
import { HubClient } from '../hub/hub-client.ts'
import { type Environment, withoutSymlinks } from '../hub/hub-environment.ts'
import type { TreeEntry } from '../hub/hub-tree.ts'
import type { Patience } from '../hub/retry.ts'
import { weightNames } from '../model/check-model-files.ts'
import { chooseGraph, type DtypeChoice, type GraphFile } from '../model/dtype.ts'
import { CARD, findGraphs, folderOf, genaiDecoder, genaiFolders, SIDE_FILES } from '../model/graph-files.ts'
import { type HubId, isCommit } from '../model/model-id.ts'
import { readJsonFile } from '../system/json-file.ts'
import { cacheError } from './cache-errors.ts'
import { makeRepoFolders, sweepCache, tagCache, writeNote } from './cache-writes.ts'
import type { FetchIo } from './fetch-io.ts'
import { isKnownAbsent, type RepoCache } from './hub-cache.ts'
import { SnapshotFiles } from './snapshot-files.ts'

// A model from the hub into the cache: which commit, which files, which graph; then the small files and the graph, then
// the weights the graph names; at last the ref. Until the ref is written the old one stands, so whoever looks at
// the cache meanwhile sees the model as it was.

export interface PullRequest extends Omit<FetchIo, 'beforeFetch'> {
  readonly id: HubId
  readonly root: string
  readonly cache: RepoCache
  readonly dtype: DtypeChoice
  readonly env: Environment
  readonly patience: Patience
  /** Hash what is cached and fetch again what is damaged. */
  readonly repair: boolean
}

/** Fetches what is not cached yet. Throws what the hub, the network or the disk is to blame for. */
export function pullModel(request: PullRequest): Promise<{ commit: string; graph: GraphFile }> {
  return withClient(request, pullWith)
}

/** What the hub has of a model. */
export interface Survey {
  readonly commit: string
  /** Every graph, preferred layouts first, with the bytes of its file and of the files beside it that bear its name. */
  readonly graphs: readonly SurveyedGraph[]
}

export interface SurveyedGraph extends GraphFile {
  /** Paths in the repository. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[]
}

/** Asks what the hub has; nothing is written. Throws what the hub or the network is to blame for. */
export function surveyModel(request: PullRequest): Promise<Survey> {
  return withClient(request, async (client) => {
    const { commit, tree } = await filesOf(client, request)
    return { commit, graphs: graphsIn(tree, new Map()) }
  })
}

/** The same, and fetches the texts beside the graph that would be used. No weight is fetched, and no ref written. */
export function surveyTexts(request: PullRequest): Promise<Survey & { readonly graph: SurveyedGraph }> {
  return withClient(request, async (client, _, stop) => {
    const { commit, tree } = await filesOf(client, request)
    const { fetch, decoders } = await startFetching({ client, request, stop, commit, tree })
    const graphs = graphsIn(tree, decoders)
    const chosen = chooseGraph(graphs, request.dtype, request.id.repo)
    const graph = graphs.find(({ path }) => path === chosen.path)!
    request.note?.(`dtype ${graph.dtype}: ${graph.path}`, 'info')
    await fetch(firstFiles(tree, graph, request.id.repo).filter(({ path }) => path !== graph.path))
    return { commit, graphs, graph }
  })
}

function graphsIn(tree: Tree, decoders: ReadonlyMap<string, string>): SurveyedGraph[] {
  const entries = [...tree.values()]
  return findGraphs([...tree.keys()], decoders).map((graph) => {
    const isOfGraph = ({ path }: TreeEntry) =>
      path === graph.path || path.startsWith(`${graph.path}_`) || path.startsWith(`${graph.path}.`)
    return { ...graph, files: entries.filter(isOfGraph).map(({ path, size }) => ({ path, bytes: size })) }
  })
}

type Tree = ReadonlyMap<string, TreeEntry>

/** Runs `act` with a client that is closed afterwards, and with what stops all that it fetches. */
async function withClient<T>(
  request: PullRequest,
  act: (client: HubClient, request: PullRequest, stop: AbortController) => Promise<T>,
): Promise<T> {
  const { env, patience, signal, note } = request
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const abort = () => stop.abort(signal?.reason)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort, { once: true })
  const onRetry = (message: string) => note?.(message, 'warning')
  const client = new HubClient({ env, patience, signal: stop.signal, onRetry })
  try {
    return await act(client, request, stop)
  } finally {
    client.close()
    signal?.removeEventListener('abort', abort)
  }
}

async function pullWith(client: HubClient, request: PullRequest, stop: AbortController) {
  const { id, cache, dtype, note } = request
  const { commit, tree } = await filesOf(client, request)
  const { fetch, decoders } = await startFetching({ client, request, stop, commit, tree })
  const graph = chooseGraph(findGraphs([...tree.keys()], decoders), dtype, id.repo)
  note?.(`dtype ${graph.dtype}: ${graph.path}`, 'info')
  await fetch(firstFiles(tree, graph, id.repo))
  await fetch(weightFiles(tree, graph, cache.file(commit, graph.path)))
  written(cache.folder, () => recordCommit(cache, { commit, revision: id.revision, tree, graph }))
  return { commit, graph }
}

async function filesOf(client: HubClient, { id }: PullRequest): Promise<{ commit: string; tree: Tree }> {
  const commit = isCommit(id.revision) ? id.revision : await client.commit(id.repo, id.revision)
  return { commit, tree: new Map((await client.tree(id.repo, commit)).map((entry) => [entry.path, entry])) }
}

interface Fetching {
  readonly client: HubClient
  readonly request: PullRequest
  readonly stop: AbortController
  readonly commit: string
  readonly tree: Tree
}

/** What fetches files of a commit, and which decoder each genai folder has. */
async function startFetching({ client, request, stop, commit, tree }: Fetching) {
  const files = new SnapshotFiles({
    ...request,
    client,
    commit,
    copy: withoutSymlinks(request.env),
    signal: stop.signal,
  })
  const fetch = async (entries: readonly TreeEntry[]) => {
    if (entries.length > 0) prepareCache(request)
    await fetchAll(files, entries, stop)
  }
  const decoders = await decodersOf(tree, (name) => request.cache.file(commit, name), fetch)
  return { fetch, decoders }
}

/** The decoder's file of each genai folder that has several to choose from; its config is fetched and asked. */
async function decodersOf(
  tree: ReadonlyMap<string, TreeEntry>,
  pathOf: (name: string) => string,
  fetch: (entries: readonly TreeEntry[]) => Promise<void>,
): Promise<Map<string, string>> {
  const paths = [...tree.keys()]
  const unclear = genaiFolders(paths).filter((base) => onnxFilesIn(paths, base).length > 1)
  const configs = unclear.slice(0, MOST_CONFIGS).map((base) => posix.join(base, 'genai_config.json'))
  await fetch(entriesOf(tree, configs))
  const decoders = new Map<string, string>()
  for (const config of configs) {
    const decoder = genaiDecoder(readJsonFile(pathOf(config)) ?? {})
    if (decoder !== undefined) decoders.set(folderOf(config), decoder)
  }
  return decoders
}

const MOST_CONFIGS = 16

function onnxFilesIn(paths: readonly string[], base: string): string[] {
  return paths.filter((path) => path.endsWith('.onnx') && folderOf(path) === base)
}

/** What is known to be needed before the graph is read: the graph and the files beside it. */
function firstFiles(tree: ReadonlyMap<string, TreeEntry>, graph: GraphFile, repo: string): TreeEntry[] {
  const has = (name: string) => tree.has(posix.join(graph.base, name))
  const lost = [
    ...(has('tokenizer.json') ? [] : ['tokenizer.json']),
    ...(has('config.json') || has('genai_config.json') ? [] : ['config.json']),
  ]
  if (lost.length > 0) {
    throw new SpoutError('config', `${repo}: the repository has no ${lost.join(' and no ')}`, {
      hint: 'look for the same model under onnx-community',
    })
  }
  return entriesOf(tree, [graph.path, ...SIDE_FILES.map((name) => posix.join(graph.base, name)), CARD])
}

/** The files of weights that a graph on this disk names. */
function weightFiles(tree: ReadonlyMap<string, TreeEntry>, graph: GraphFile, path: string): TreeEntry[] {
  const names = weightNames(path).map((name) => posix.join(posix.dirname(graph.path), name))
  const lost = names.find((name) => !tree.has(name))
  if (lost === undefined) return entriesOf(tree, names)
  throw new SpoutError('config', `${graph.path}: its weights lie in ${lost}, which the repository has not`, {
    hint: 'take another dtype with --dtype',
  })
}

function entriesOf(tree: ReadonlyMap<string, TreeEntry>, paths: readonly string[]): TreeEntry[] {
  return paths.flatMap((path) => tree.get(path) ?? [])
}

const AT_ONCE = 6

/** Fetches several files at once. The first failure stops the others, which keep what they have. */
async function fetchAll(
  files: SnapshotFiles,
  entries: readonly TreeEntry[],
  stop: AbortController,
): Promise<void> {
  files.checkRoom(entries)
  const queue = [...entries]
  const work = async () => {
    for (let entry = queue.shift(); entry !== undefined && !stop.signal.aborted; entry = queue.shift()) {
      await files.fetch(entry)
    }
  }
  const workers = Array.from({ length: Math.min(AT_ONCE, entries.length) }, () =>
    work().catch((error: unknown) => stop.abort(error)),
  )
  await Promise.all(workers)
  stop.signal.throwIfAborted()
}

function prepareCache({ root, cache }: PullRequest): void {
  written(root, () => {
    makeRepoFolders(cache)
    tagCache(root)
    sweepCache(cache)
  })
}

interface CommitRecord {
  readonly commit: string
  readonly revision: string
  readonly tree: ReadonlyMap<string, TreeEntry>
  readonly graph: GraphFile
}

/** Notes what the commit has not, and, last of all, that the revision is this commit. */
function recordCommit(cache: RepoCache, { commit, revision, tree, graph }: CommitRecord): void {
  for (const name of SIDE_FILES.map((file) => posix.join(graph.base, file))) {
    if (!tree.has(name) && !isKnownAbsent(cache, commit, name)) {
      writeNote(cache.noExist(commit, name), '', cache)
    }
  }
  if (!existsSync(cache.snapshot(commit))) return
  if (revision !== commit) writeNote(cache.ref(revision), commit, cache)
}

function written<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw cacheError(error, path)
  }
}
