/**
 * Several servers of one model. Prompts that begin alike go to one server, which has computed their beginning already; when it has
 * enough to do, the next in the order of that beginning takes them. One that cannot be reached is left out for a while.
 */
import { createHash } from 'node:crypto'
import type { GenerateRequest } from '../engine/request.ts'
import type { RemoteServer } from './server.ts'

/** Of a prompt, in characters: what is after it changes nothing of where it goes. */
const BEGINNING = 1024
const FIRST_REST_MS = 2_000
const LONGEST_REST_MS = 60_000

export class Fleet {
  readonly servers: readonly RemoteServer[]
  /** Those left out: until when, and for how long it was the last time. */
  readonly #resting = new Map<RemoteServer, { readonly until: number; readonly ms: number }>()
  readonly #now: () => number

  constructor(servers: readonly RemoteServer[], now: () => number = () => performance.now()) {
    this.servers = servers
    this.#now = now
  }

  /** The server for a request. @param tried those that have just failed it: asked again only where there is no other */
  choose(request: GenerateRequest, tried: ReadonlySet<RemoteServer> = new Set()): RemoteServer {
    const order = this.#order(request.text.slice(0, BEGINNING))
    const up = order.filter((server) => !this.#isResting(server))
    const untried = up.filter((server) => !tried.has(server))
    const candidates = [untried, up, order].find(({ length }) => length > 0)!
    return candidates.find(({ gate }) => gate.isOpen) ?? leastBusy(candidates)
  }

  /** Whether another one could be asked at once in place of those that have just failed. */
  hasOther(tried: ReadonlySet<RemoteServer>): boolean {
    return this.servers.some((server) => !tried.has(server) && !this.#isResting(server))
  }

  /** It could not be reached. */
  rest(server: RemoteServer): void {
    const before = this.#resting.get(server)?.ms
    const ms = before === undefined ? FIRST_REST_MS : Math.min(LONGEST_REST_MS, before * 2)
    this.#resting.set(server, { until: this.#now() + ms, ms })
  }

  /** It has answered. */
  back(server: RemoteServer): void {
    this.#resting.delete(server)
  }

  #isResting(server: RemoteServer): boolean {
    return this.#now() < (this.#resting.get(server)?.until ?? 0)
  }

  /** Highest weight first (rendezvous hashing): one server more or less moves no prompt between the others. */
  #order(beginning: string): RemoteServer[] {
    const { servers } = this
    if (servers.length === 1) return [...servers]
    const weights = new Map(servers.map((server) => [server, weight(server.origin, beginning)]))
    return [...servers].sort((a, b) => Buffer.compare(weights.get(b)!, weights.get(a)!))
  }
}

function weight(origin: string, beginning: string): Buffer {
  return createHash('sha256').update(origin).update('\n').update(beginning).digest()
}

/** All have enough to do: the one where it is the shortest wait. */
function leastBusy(servers: readonly RemoteServer[]): RemoteServer {
  const load = ({ gate }: RemoteServer): number => gate.load + gate.closedMs
  return servers.reduce((least, server) => (load(server) < load(least) ? server : least))
}
