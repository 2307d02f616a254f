import { lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { SpoutError } from '../errors.ts'

// How near an address is to this machine. A hub on the internet has no business sending us to the machine itself or into
// the network around it; a mirror in that network may. So a redirect never leads nearer than the answer came from.

export const REACH = { internet: 0, network: 1, machine: 2, never: 3 } as const
export type Reach = (typeof REACH)[keyof typeof REACH]

/** Tried from the last to the first. IPv4 addresses written as IPv6 ones are found, too. */
const NEAR: readonly (readonly [Reach, readonly string[]])[] = [
  [
    REACH.network,
    [
      '10.0.0.0/8',
      '172.16.0.0/12',
      '192.168.0.0/16',
      '100.64.0.0/10',
      '198.18.0.0/15',
      'fc00::/7',
      'fec0::/10',
    ],
  ],
  [REACH.machine, ['127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128']],
  // Link-local, multicast, and where clouds keep the keys of their machines.
  [
    REACH.never,
    ['169.254.0.0/16', 'fe80::/10', '224.0.0.0/4', 'ff00::/8', 'fd00:ec2::254/128', '100.100.100.200/32'],
  ],
]

const LISTS = NEAR.map(([reach, subnets]) => [reach, listOf(subnets)] as const).reverse()

function listOf(subnets: readonly string[]): BlockList {
  const list = new BlockList()
  for (const subnet of subnets) {
    const [net = '', bits] = subnet.split('/')
    list.addSubnet(net, Number(bits), familyOf(net))
  }
  return list
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}

/** Of an address without brackets. */
export function reachOf(address: string): Reach {
  const [plain = ''] = embedded(address).split('%')
  return LISTS.find(([, list]) => list.check(plain, familyOf(plain)))?.[0] ?? REACH.internet
}

/** The IPv4 address that NAT64 and 6to4 have in theirs. */
function embedded(address: string): string {
  const [, high, low] = /^(?:64:ff9b::|2002:)([0-9a-f]{1,4}):([0-9a-f]{1,4})/i.exec(address) ?? []
  if (high === undefined || low === undefined) return address
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return [a >> 8, a & 255, b >> 8, b & 255].join('.')
}

/** Of the host in a URL as far as it tells: a name says nothing until it is resolved. */
export function reachOfHost(host: string): Reach {
  const address = host.replace(/^\[|\]$/g, '')
  if (isIP(address) > 0) return reachOf(address)
  return isLoopback(host) ? REACH.machine : REACH.internet
}

/** Whether a host is this machine by its name or address. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, '')
  if (isIP(address) > 0) return reachOf(address) === REACH.machine
  return /^(.+\.)?localhost\.?$/i.test(host)
}

/** Resolves names as the system does, and fails where one leads nearer than `most`. */
export function lookupWithin(most: Reach): LookupFunction {
  return (host, options, callback) =>
    lookup(host, options, (error, found, family) => {
      const addresses = Array.isArray(found) ? found.map(({ address }) => address) : [found]
      const isNear = error === null && addresses.some((address) => reachOf(address) > most)
      callback(isNear ? notAllowed(host) : error, found, family)
    })
}

/** The error for a redirect into the machine or its network. */
export function notAllowed(host: string): SpoutError {
  return new SpoutError(
    'protocol',
    `hub: it redirects to a place that is not allowed (${host.slice(0, 100)})`,
    {
      hint: 'a proxy, a mirror or a login page of the network is in between',
    },
  )
}
