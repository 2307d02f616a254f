import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ResolveOptions, resolveModel } from '../../src/hub-cache/resolve-model.ts'
import { FakeHub } from '../support/fake-hub.ts'
import { COMMIT, modelRepo, pulling, REPO, temporaryFolder } from '../support/model-repo.ts'
import { canRun, startPull } from '../support/pull-process.ts'

const hasOpenssl = canRun('openssl', 'version')

let hub: FakeHub
let root: string
let servers: Server[]
beforeEach(async () => {
  hub = await FakeHub.start()
  hub.repos.set(REPO, modelRepo())
  root = temporaryFolder()
  servers = []
})
afterEach(async () => {
  await hub.stop()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  rmSync(root, { recursive: true, force: true })
})

async function listening<T extends Server>(server: T): Promise<number> {
  servers.push(server)
  await new Promise<void>((go) => server.listen(0, '127.0.0.1', () => go()))
  return (server.address() as AddressInfo).port
}

function forward(target: string, request: IncomingMessage, response: ServerResponse): void {
  const { method, headers } = request
  const onward = httpRequest(target, { method, headers }, (answer) => {
    response.writeHead(answer.statusCode!, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => response.destroy())
  onward.end()
}

/** A proxy for both kinds of request; `seen` is what it was asked for. */
async function startProxy(seen: string[], status = 200): Promise<string> {
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`)
    delete request.headers['proxy-authorization']
    // Names under .example are known to this proxy alone.
    forward(request.url!.replace(/^http:\/\/[a-z]+\.example/, 'http://127.0.0.1'), request, response)
  })
  proxy.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url} ${request.headers['proxy-authorization'] ?? ''}`)
    socket.on('error', () => {})
    if (status !== 200) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`)
    const [host, port] = request.url!.split(':')
    const target = net.connect(Number(port), host!.replace(/^[a-z]+\.example$/, '127.0.0.1'), () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      target.pipe(socket).pipe(target)
    })
    target.on('error', () => socket.destroy())
  })
  return `127.0.0.1:${await listening(proxy)}`
}

/** The fake hub behind TLS with a certificate of its own making; `redirect` sends every file elsewhere. */
async function startTlsHub(redirect?: string): Promise<{ url: string; ca: string }> {
  const [key, cert] = [join(root, 'key.pem'), join(root, 'cert.pem')]
  const subject = [
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost,DNS:hub.example,IP:127.0.0.1',
  ]
  const made = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  execFileSync('openssl', ['req', ...made, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })
  const server = https.createServer(
    { key: readFileSync(key), cert: readFileSync(cert) },
    (request, response) => {
      if (redirect !== undefined && request.url!.includes('/resolve/')) {
        response.writeHead(302, { location: redirect }).end()
        return
      }
      forward(hub.url + request.url, request, response)
    },
  )
  const port = await listening(server as unknown as Server)
  return { url: `https://localhost:${port}`, ca: cert }
}

/** The fake hub by a name that is not this machine's. */
function environment({ env }: ResolveOptions): Record<string, string | undefined> {
  return { ...env, HF_ENDPOINT: `http://hub.example:${new URL(hub.url).port}` }
}

describe('a proxy', () => {
  it('H17: is used for http, with its password and never showing it', async () => {
    const seen: string[] = []
    const proxy = await startProxy(seen)
    const { options } = pulling(hub, root)
    hub.cdnHost = 'cdn.example'
    await resolveModel({
      ...options,
      env: { ...environment(options), HTTP_PROXY: `http://user:CANARY@${proxy}` },
    })
    const basic = Buffer.from('user:CANARY').toString('base64')
    expect(seen.length).toBeGreaterThan(10)
    expect(seen.every((line) => line.endsWith(`Basic ${basic}`))).toBe(true)
    expect(hub.requests.some((r) => r.headers['proxy-authorization'])).toBe(false)
  })

  it('A10: sees nothing of a hub on this machine, a token least of all', async () => {
    const seen: string[] = []
    const HTTP_PROXY = `http://${await startProxy(seen)}`
    const { options } = pulling(hub, root)
    await resolveModel({ ...options, env: { ...options.env, HTTP_PROXY, HF_TOKEN: 'hf_CANARY' } })
    expect(hub.requests.length).toBeGreaterThan(10)
    expect(seen).toEqual([])
  })

  it.each([
    '127.0.0.1:1',
    'localhost:1',
    '10.0.0.1',
    '[::ffff:192.168.0.1]',
    '[fd00:ec2::254]',
    '169.254.169.254',
  ])('H8: a redirect from a hub elsewhere to %s is refused: 76', async (host) => {
    const seen: string[] = []
    const HTTP_PROXY = `http://${await startProxy(seen)}`
    const { options } = pulling(hub, root)
    hub.faults.set('hub:config.json', [{ do: 'redirect', to: `http://${host}/x` }])
    const asked = resolveModel({ ...options, env: { ...environment(options), HTTP_PROXY } })
    await expect(asked).rejects.toMatchObject({ code: 'protocol', message: /not allowed/ })
    expect(seen.filter((line) => line.includes(host))).toEqual([])
  })

  it('H17: that cannot be reached or will not serve: 69, without its password', async () => {
    const { options } = pulling(hub, root)
    const refusing = await startProxy([], 407)
    for (const [env, message] of [
      [{ HTTP_PROXY: 'http://user:CANARY@127.0.0.1:9' }, /^proxy 127\.0\.0\.1:9: connection refused$/],
      [{ HTTP_PROXY: 'http://user:CANARY@no.invalid:1' }, /^proxy no\.invalid:1: /],
      [
        { HTTPS_PROXY: `http://user:CANARY@${refusing}`, HF_ENDPOINT: 'https://hub.example' },
        /^proxy 127\.0\.0\.1:\d+: it answered 407$/,
      ],
    ] as const) {
      const asked = resolveModel({ ...options, env: { ...environment(options), ...env } })
      const error = await asked.catch((e) => e)
      expect(error).toMatchObject({ code: 'unavailable', message: expect.stringMatching(message) })
      expect(`${error.message} ${error.hint} ${error.stack}`).not.toContain('CANARY')
    }
  })
})

describe.skipIf(!hasOpenssl)('https (needs openssl)', () => {
  it('H3: a certificate nobody vouches for: 69', async () => {
    const { url } = await startTlsHub()
    const { options } = pulling(hub, root)
    const asked = resolveModel({ ...options, env: { ...options.env, HF_ENDPOINT: url } })
    await expect(asked).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/TLS: .*CERT/),
    })
  })

  it('H8: a redirect from https to http is refused: 76', async () => {
    const { url, ca } = await startTlsHub(`${hub.url}/plain`)
    const env = { HF_ENDPOINT: url, NODE_EXTRA_CA_CERTS: ca }
    const { output } = await startPull({ hub, root, env }).ended
    expect(output.error).toMatchObject({ code: 'protocol', message: expect.stringContaining('not allowed') })
    expect(hub.requests.filter((r) => r.path.startsWith('/plain'))).toEqual([])
  })

  it('H17: the hub is reached through a tunnel of the proxy, which sees no more than its name', async () => {
    const seen: string[] = []
    const proxy = await startProxy(seen)
    const { url, ca } = await startTlsHub()
    const files = Object.entries(modelRepo().files).map(([name, file]) => {
      const content = typeof file === 'string' || Buffer.isBuffer(file) ? Buffer.from(file) : file.content
      return [name, { content, lfs: false }]
    })
    hub.repos.set(REPO, { commit: COMMIT, files: Object.fromEntries(files) })
    const endpoint = url.replace('localhost', 'hub.example')
    const env = { HF_ENDPOINT: endpoint, NODE_EXTRA_CA_CERTS: ca, HTTPS_PROXY: `http://${proxy}` }
    const { code, output } = await startPull({ hub, root, env }).ended
    expect({ code, error: output.error }).toEqual({ code: 0, error: undefined })
    expect(new Set(seen)).toEqual(new Set([`CONNECT ${new URL(endpoint).host} `]))
  })
})
