import type { IncomingMessage } from 'node:http'
import { SpoutError } from '../errors.ts'
import { isCommit, isEtag } from '../model/model-id.ts'
import { isSafeFileName } from '../system/safe-name.ts'
import { quote } from '../system/text-display.ts'
import { type Environment, hubEndpoint, hubToken } from './hub-environment.ts'
import { type Asked, header, refusal, TransientError, transientStatus } from './hub-errors.ts'
import { type Answer, HubRequests } from './hub-requests.ts'
import { parseTree, type TreeEntry } from './hub-tree.ts'
import type { Patience } from './retry.ts'

// The four questions asked of a hub: which commit is this revision, which files has it, what is this file called by its
// content and how long is it, and the file itself. What a hub answers is checked before it becomes a path.

/** A file's content: the name of its blob and its length in bytes. */
export interface BlobInfo {
  readonly etag: string
  readonly size: number
}

interface ClientOptions {
  readonly env: Environment
  readonly patience: Patience
  readonly signal?: AbortSignal | undefined
  /** Told before a request is tried again. */
  readonly onRetry?: ((message: string) => void) | undefined
}

const MOST_PAGES = 100
const MOST_FILES = 50_000

/** Talks to the hub that `env` names. Opens connections when first asked; `close` drops them. */
export class HubClient {
  readonly endpoint: URL
  readonly #asked: Pick<Asked, 'endpoint' | 'token'>
  readonly #requests: HubRequests

  constructor({ env, patience, signal, onRetry }: ClientOptions) {
    const token = hubToken(env)
    this.endpoint = hubEndpoint(env, token)
    this.#asked = { endpoint: this.endpoint, token }
    this.#requests = new HubRequests({ env, token, patience, signal, onRetry })
  }

  /** The commit `revision` is now. Throws `not-found`, `permission`, `unavailable`. */
  async commit(repo: string, revision: string): Promise<string> {
    const url = this.#url(`api/models/${repo}/revision/${encodeURIComponent(revision)}`)
    const { body } = await this.#json(url, { repo, revision })
    const sha = (body as { sha?: unknown } | null)?.sha
    if (typeof sha !== 'string' || !isCommit(sha)) throw this.#notAHub('no commit in its answer')
    return sha
  }

  /** The files of a commit. Throws `config` for names that lead out of a folder, and for endless lists. */
  async tree(repo: string, commit: string): Promise<TreeEntry[]> {
    const entries: TreeEntry[] = []
    let url: URL | undefined = this.#url(`api/models/${repo}/tree/${commit}?recursive=true&expand=false`)
    for (let page = 0; url !== undefined; page++) {
      const answer: { body: unknown; next: URL | undefined } = await this.#json(url, {
        repo,
        revision: commit,
      })
      if (!Array.isArray(answer.body)) throw this.#notAHub('no list of files in its answer')
      entries.push(...parseTree(answer.body, repo))
      if (page >= MOST_PAGES || entries.length > MOST_FILES) {
        throw new SpoutError('config', `${repo}: more than ${MOST_FILES} files`, {
          hint: 'use a folder instead',
        })
      }
      url = answer.next
    }
    return entries
  }

  /** Length and blob name of a file; `undefined` where the commit has no such file. */
  async blobInfo(repo: string, commit: string, entry: TreeEntry): Promise<BlobInfo | undefined> {
    const asked = { ...this.#asked, repo, revision: commit, file: entry.path }
    const url = this.#fileUrl(repo, commit, entry.path)
    return this.#requests.retried(async () => {
      const answer = await this.#requests.head(url)
      const { response } = answer
      const status = response.statusCode ?? 0
      if (header(response, 'x-error-code') === 'EntryNotFound') return undefined
      if (status >= 400) throw refusal(response, asked)
      return this.#infoFrom(answer, commit, entry)
    })
  }

  /** The answer to a request for a file from byte `offset` on: 200, 206 or 416, its body unread. */
  async open(repo: string, commit: string, { path, offset }: { path: string; offset: number }) {
    const asked = { ...this.#asked, repo, revision: commit, file: path }
    const { response, url } = await this.#requests.get(this.#fileUrl(repo, commit, path), offset)
    const status = response.statusCode ?? 0
    if (status === 200 || status === 206 || status === 416) return response
    response.destroy()
    if (url.origin === this.endpoint.origin) throw refusal(response, asked)
    throw transientStatus(response, url) ?? expired(url, status)
  }

  close(): void {
    this.#requests.close()
  }

  /** What the headers of a file's HEAD say. The hub's own answer counts, not that of where it redirects to. */
  #infoFrom(answer: Answer, commit: string, entry: TreeEntry): BlobInfo {
    const { response, seen } = answer
    const said = (name: string) => seen.get(name) ?? header(response, name)
    const redirected = (response.statusCode ?? 0) >= 300
    if (said('x-repo-commit') === undefined) throw this.#notAHub('no commit in its headers')
    if (said('x-repo-commit') !== commit) throw inconsistent(entry.path, 'it belongs to another commit')
    const etag = cleanEtag(said('x-linked-etag') ?? (redirected ? undefined : header(response, 'etag')))
    if (etag === undefined || !isEtag(etag))
      throw inconsistent(entry.path, `its ETag is ${quote(etag ?? '')}`)
    const length = said('x-linked-size') ?? (redirected ? undefined : header(response, 'content-length'))
    const size = length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : entry.size
    if (size !== entry.size || (entry.etag !== undefined && entry.etag !== etag)) {
      throw inconsistent(entry.path, 'the list of files says otherwise')
    }
    return { etag, size }
  }

  async #json(url: URL, asked: { repo: string; revision: string }) {
    return this.#requests.retried(async () => {
      const { response } = await this.#requests.get(url)
      if (response.statusCode !== 200) {
        response.destroy()
        throw refusal(response, { ...this.#asked, ...asked })
      }
      const text = await this.#requests.text(response)
      const next = nextPage(response, url)
      try {
        return { body: JSON.parse(text) as unknown, next }
      } catch {
        throw this.#notAHub('its answer is not JSON')
      }
    })
  }

  #fileUrl(repo: string, commit: string, path: string): URL {
    if (!isSafeFileName(path)) throw new SpoutError('config', `unsafe file name in ${repo}: ${quote(path)}`)
    return this.#url(`${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`)
  }

  #url(below: string): URL {
    return new URL(`${this.endpoint.href.replace(/\/$/, '')}/${below}`)
  }

  #notAHub(detail: string): SpoutError {
    return new SpoutError(
      'unavailable',
      `hub: ${this.endpoint.host} is not a Hugging Face endpoint (${detail})`,
      {
        hint: 'a login page of the network may be in between; else check HF_ENDPOINT',
      },
    )
  }
}

function expired(url: URL, status: number): TransientError {
  return new TransientError(new SpoutError('unavailable', `hub: ${url.host} answers ${status}`))
}

function inconsistent(file: string, detail: string): SpoutError {
  return new SpoutError('protocol', `hub: ${file}: ${detail}`, {
    hint: 'try again; if it stays so, the hub is at fault',
  })
}

function cleanEtag(etag: string | undefined): string | undefined {
  return etag?.replace(/^W\//, '').replace(/^"(.*)"$/, '$1')
}

/** The next page of a list, which must be the hub's own. */
function nextPage(response: IncomingMessage, url: URL): URL | undefined {
  const target = /<([^>]+)>\s*;\s*rel="?next"?/.exec(header(response, 'link') ?? '')?.[1]
  if (target === undefined || !URL.canParse(target, url.href)) return undefined
  const next = new URL(target, url)
  if (next.origin !== url.origin)
    throw new SpoutError('protocol', `hub: the list of files goes on at ${next.host}`)
  return next
}
