import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'

// A hub on the loopback: the answers of the real one as far as a download needs them, a second origin in the place of
// its CDN, and for each file a list of the things that go wrong, taken one per request. It remembers every request.

/** One thing that goes wrong with a request for a file's bytes (or with any request, where the key is not a file). */
export type Fault =
  | { do: 'reset'; after: number }
  | { do: 'stall'; after: number }
  | { do: 'short'; after: number }
  | { do: 'close-delimited'; after: number }
  | { do: 'chunked-cut'; after: number }
  | { do: 'flip-bit' }
  | { do: 'ignore-range' }
  | { do: 'wrong-range' }
  | { do: 'gzip' }
  | { do: 'gzip-bomb' }
  | { do: 'endless' }
  | { do: 'html' }
  | { do: 'status'; status: number; headers?: Record<string, string> }
  | { do: 'redirect'; to: string }
  | { do: 'ok' }

export interface FakeFile {
  readonly content: Buffer
  /** Large files have a sha256, lie at the CDN and are links in the list. Default: by size. */
  readonly lfs?: boolean
  /** Headers of a HEAD that differ from the true ones; `null` leaves one out. */
  readonly head?: Record<string, string | null>
}

export interface FakeRepo {
  readonly commit: string
  readonly files: Record<string, FakeFile | Buffer | string>
  readonly branches?: Record<string, string>
  /** Answer to every request for files: gated, or nothing at all. */
  readonly gated?: boolean
  /** More entries for the list of files. */
  readonly listed?: readonly unknown[]
}

export interface SeenRequest {
  readonly origin: 'hub' | 'cdn'
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
}

/** 16 MiB of zeros, packed. */
const BOMB = gzipSync(Buffer.alloc(16 * 2 ** 20))

export class FakeHub {
  readonly repos = new Map<string, FakeRepo>()
  /** What goes wrong next, by file name, `head:<file>`, `api:revision`, `api:tree`. */
  readonly faults = new Map<string, Fault[]>()
  readonly requests: SeenRequest[] = []
  /** Bytes per chunk and pause between chunks, of every body. */
  pace: { chunk: number; ms: number } | undefined
  /** Called with every request before it is answered. */
  onRequest: ((request: SeenRequest) => void) | undefined
  /** Bytes of a file that the client has kept; a body is cut short when they are all that was sent: a reset drops others. */
  kept: ((file: string) => number) | undefined
  token: string | undefined
  /** The CDN's name: not the hub's, as with the real one. */
  cdnHost = 'localhost'
  readonly #hub: Server
  readonly #cdn: Server

  private constructor() {
    this.#hub = createServer((request, response) => void this.#serve('hub', request, response))
    this.#cdn = createServer((request, response) => void this.#serve('cdn', request, response))
  }

  static async start(): Promise<FakeHub> {
    const hub = new FakeHub()
    await Promise.all(
      [hub.#hub, hub.#cdn].map((server) => new Promise<void>((go) => server.listen(0, '127.0.0.1', go))),
    )
    return hub
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`
  }

  get cdnUrl(): string {
    return `http://${this.cdnHost}:${(this.#cdn.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#cdn]) {
      server.closeAllConnections()
      await new Promise<void>((go) => server.close(() => go()))
    }
  }

  /** The requests for the bytes of a file. */
  gets(file: string): SeenRequest[] {
    return this.requests.filter(
      (r) => r.method === 'GET' && decodeURIComponent(r.path).split('?')[0]!.endsWith(`/${file}`),
    )
  }

  async #serve(origin: 'hub' | 'cdn', request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake')
    const seen = {
      origin,
      method: request.method ?? '',
      path: url.pathname + url.search,
      headers: request.headers,
    }
    this.requests.push(seen)
    response.on('error', () => {})
    try {
      this.onRequest?.(seen)
      if (origin === 'cdn') await this.#serveCdn(url, request, response)
      else await this.#serveHub(url, request, response)
    } catch {
      response.destroy()
    }
  }

  async #serveHub(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const api = /^\/api\/models\/((?:[^/]+\/)?[^/]+)\/(revision|tree)\/([^/]+)$/.exec(url.pathname)
    if (api) return this.#serveApi(api, url, request, response)
    if (/^\/api\/models\/(?:[^/]+\/)?[^/]+$/.test(url.pathname)) {
      return this.#serveApi(
        [url.pathname, url.pathname.slice('/api/models/'.length), 'revision', 'main'],
        url,
        request,
        response,
      )
    }
    const file = /^\/((?:[^/]+\/)?[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname)
    if (file) return this.#serveFile(file.map(decodeURIComponent), request, response)
    refuse(response, 404, 'RepoNotFound')
  }

  async #serveApi(match: readonly string[], url: URL, request: IncomingMessage, response: ServerResponse) {
    const [, name = '', kind = '', revision = ''] = match
    const fault = this.#fault(`api:${kind}`)
    if (fault && (await this.#misbehave(fault, response))) return
    const repo = this.repos.get(name)
    if (!this.#mayAsk(request))
      return refuse(response, 401, undefined, 'Invalid credentials in Authorization header')
    if (repo === undefined) return refuse(response, 401, 'RepoNotFound')
    const commit = commitOf(repo, decodeURIComponent(revision))
    if (commit === undefined) return refuse(response, 404, 'RevisionNotFound')
    if (kind === 'revision') {
      const siblings = Object.keys(repo.files).map((rfilename) => ({ rfilename }))
      return json(response, {
        _id: '1',
        id: name,
        modelId: name,
        sha: commit,
        tags: [],
        downloads: 0,
        likes: 0,
        private: false,
        siblings,
      })
    }
    const all = [...listOf(repo), ...(repo.listed ?? [])]
    const page = Number(url.searchParams.get('cursor') ?? 0)
    const size = 1000
    if (all.length > (page + 1) * size) {
      response.setHeader(
        'link',
        `<${this.url}${url.pathname}?recursive=true&expand=false&cursor=${page + 1}>; rel="next"`,
      )
    }
    json(response, all.slice(page * size, (page + 1) * size))
  }

  async #serveFile(
    [, name = '', revision = '', path = '']: string[],
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    const fault = this.#fault(request.method === 'HEAD' ? `head:${path}` : `hub:${path}`)
    if (fault && (await this.#misbehave(fault, response))) return
    const repo = this.repos.get(name)
    if (!this.#mayAsk(request))
      return refuse(response, 401, undefined, 'Invalid credentials in Authorization header')
    if (repo === undefined) return refuse(response, 404, 'RepoNotFound')
    if (repo.gated) return refuse(response, request.headers.authorization ? 403 : 401, 'GatedRepo')
    const commit = commitOf(repo, revision)
    if (commit === undefined) return refuse(response, 404, 'RevisionNotFound')
    const file = fileOf(repo, path)
    if (file === undefined) return refuse(response, 404, 'EntryNotFound')
    const etag = etagOf(file)
    const headers: Record<string, string | null> = {
      'x-repo-commit': commit,
      etag: `"${etag}"`,
      'accept-ranges': 'bytes',
    }
    if (!isLfs(file)) {
      Object.assign(headers, file.head)
      for (const [key, value] of Object.entries(headers)) if (value !== null) response.setHeader(key, value)
      if (request.method === 'HEAD') {
        if (headers['content-length'] === undefined) response.setHeader('content-length', file.content.length)
        else if (headers['content-length'] === null) response.setHeader('transfer-encoding', 'chunked')
        return void response.end()
      }
      return this.#body(path, file.content, request, response)
    }
    Object.assign(headers, {
      'x-linked-etag': `"${etag}"`,
      'x-linked-size': String(file.content.length),
      etag: null,
      location: `${this.cdnUrl}/${name}/${path}?signature=x`,
      ...file.head,
    })
    for (const [key, value] of Object.entries(headers)) if (value !== null) response.setHeader(key, value)
    response.writeHead(302, { 'content-length': '11' })
    response.end(request.method === 'HEAD' ? undefined : 'Found: see!')
  }

  async #serveCdn(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodeURIComponent(url.pathname).slice(1)
    const name = [...this.repos.keys()].find((repo) => path.startsWith(`${repo}/`))
    const repo = name === undefined ? undefined : this.repos.get(name)
    const file = repo && fileOf(repo, path.slice(name!.length + 1))
    if (file === undefined) return refuse(response, 404)
    response.setHeader('etag', '"of the cdn"')
    await this.#body(path.slice(name!.length + 1), file.content, request, response)
  }

  async #body(
    path: string,
    content: Buffer,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const fault = this.#fault(path)
    if (fault && (await this.#misbehave(fault, response, content))) return
    const from =
      fault?.do === 'ignore-range' ? 0 : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    if (from > 0 && from >= content.length) {
      response.writeHead(416, { 'content-range': `bytes */${content.length}`, 'content-length': '0' })
      return void response.end()
    }
    if (from > 0) {
      const start = fault?.do === 'wrong-range' ? from - 1 : from
      response.statusCode = 206
      response.setHeader('content-range', `bytes ${start}-${content.length - 1}/${content.length}`)
    }
    const part = fault?.do === 'flip-bit' ? flipped(content).subarray(from) : content.subarray(from)
    const stop = fault !== undefined && 'after' in fault ? Math.min(fault.after, part.length) : part.length
    if (fault?.do === 'close-delimited') {
      response.shouldKeepAlive = false
      response.useChunkedEncodingByDefault = false
      response.setHeader('connection', 'close')
    } else if (fault?.do !== 'chunked-cut') response.setHeader('content-length', part.length)
    response.flushHeaders()
    await this.#send(response, part.subarray(0, stop))
    if (fault?.do === 'stall') return
    if (fault?.do === 'close-delimited') return void response.end()
    if (fault?.do === 'reset' || fault?.do === 'short' || fault?.do === 'chunked-cut') {
      await this.#keeping(path, from + stop, response)
      if (fault.do === 'reset') (response.socket as { resetAndDestroy?(): void } | null)?.resetAndDestroy?.()
      return void response.destroy()
    }
    response.end()
  }

  /** Waits until the client has kept the first `bytes` of a file, or is gone. */
  async #keeping(path: string, bytes: number, response: ServerResponse): Promise<void> {
    if (this.kept === undefined) throw new Error('a body that is cut short needs `kept`')
    while (this.kept(path) < bytes && !response.destroyed) await sleep(2)
  }

  async #send(response: ServerResponse, bytes: Buffer): Promise<void> {
    const { chunk, ms } = this.pace ?? { chunk: 65_536, ms: 0 }
    for (let at = 0; at < bytes.length && !response.destroyed; at += chunk) {
      await new Promise((go) => response.write(bytes.subarray(at, at + chunk), go))
      if (ms > 0) await sleep(ms)
    }
  }

  /** Answers wrongly as a fault says; false for faults of a body, which come later. */
  async #misbehave(
    fault: Fault,
    response: ServerResponse,
    content: Buffer = Buffer.alloc(0),
  ): Promise<boolean> {
    if (fault.do === 'status') {
      response.writeHead(fault.status, { 'content-length': '0', ...fault.headers })
      response.end()
    } else if (fault.do === 'redirect') {
      response.writeHead(302, { location: fault.to, 'content-length': '0' })
      response.end()
    } else if (fault.do === 'html') {
      const page = '<!DOCTYPE html><html><body>Welcome to the airport</body></html>'
      response.writeHead(200, { 'content-type': 'text/html', 'content-length': page.length })
      response.end(page)
    } else if (fault.do === 'gzip' || fault.do === 'gzip-bomb') {
      const packed = fault.do === 'gzip' ? gzipSync(content) : BOMB
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': packed.length })
      response.end(packed)
    } else if (fault.do === 'endless') {
      response.writeHead(200, {})
      await this.#send(response, Buffer.concat([content, Buffer.alloc(2 ** 20)]))
      response.end()
    } else return false
    return true
  }

  #fault(key: string): Fault | undefined {
    return this.faults.get(key)?.shift()
  }

  #mayAsk(request: IncomingMessage): boolean {
    const sent = request.headers.authorization
    return sent === undefined || this.token === undefined || sent === `Bearer ${this.token}`
  }
}

/** The name of a file's blob. */
export function etagOf(file: FakeFile): string {
  if (isLfs(file)) return createHash('sha256').update(file.content).digest('hex')
  return createHash('sha1').update(`blob ${file.content.length}\0`).update(file.content).digest('hex')
}

function listOf(repo: FakeRepo): unknown[] {
  return Object.keys(repo.files).map((path) => {
    const file = fileOf(repo, path)!
    const oid = createHash('sha1').update(path).digest('hex')
    const size = file.content.length
    if (!isLfs(file)) return { type: 'file', path, size, oid: etagOf(file) }
    return { type: 'file', path, size, oid, lfs: { oid: etagOf(file), size, pointerSize: 130 } }
  })
}

function fileOf(repo: FakeRepo, path: string): FakeFile | undefined {
  const file = repo.files[path]
  if (file === undefined) return undefined
  return typeof file === 'string' || Buffer.isBuffer(file) ? { content: Buffer.from(file) } : file
}

function isLfs({ lfs, content }: FakeFile): boolean {
  return lfs ?? content.length > 1000
}

function commitOf(repo: FakeRepo, revision: string): string | undefined {
  if (revision === repo.commit || revision === 'main') return repo.commit
  return repo.branches?.[revision]
}

function flipped(content: Buffer): Buffer {
  const copy = Buffer.from(content)
  copy[Math.floor(copy.length / 2)]! ^= 1
  return copy
}

function refuse(response: ServerResponse, status: number, code?: string, message?: string): void {
  if (code) response.setHeader('x-error-code', code)
  if (message) response.setHeader('x-error-message', message)
  response.writeHead(status, { 'content-length': '0' })
  response.end()
}

function json(response: ServerResponse, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  response.end(body)
}
