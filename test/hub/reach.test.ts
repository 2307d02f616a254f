import { describe, expect, it } from 'vitest'
import { proxyFor } from '../../src/hub/proxy.ts'
import { isLoopback, lookupWithin, REACH, reachOf, reachOfHost } from '../../src/hub/reach.ts'

describe('how near an address is', () => {
  it.each([
    ['internet', ['8.8.8.8', '172.15.0.1', '172.32.0.1', '2001:db8::1', '::ffff:8.8.8.8', '100.63.0.1']],
    [
      'network',
      ['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', 'fd00::1', '::ffff:10.0.0.1'],
    ],
    ['network', ['::ffff:a00:1', '64:ff9b::a00:1', '2002:c0a8:101::1']],
    ['machine', ['127.0.0.1', '127.9.9.9', '0.0.0.0', '::1', '::', '::ffff:127.0.0.1', '64:ff9b::7f00:1']],
    [
      'never',
      [
        '169.254.169.254',
        'fe80::1',
        'fe80::1%eth0',
        'febf::1',
        'fd00:ec2::254',
        '100.100.100.200',
        '224.0.0.1',
      ],
    ],
    ['never', ['::ffff:169.254.169.254', '::ffff:a9fe:a9fe']],
  ] as const)('%s: %j', (reach, addresses) => {
    for (const address of addresses) expect([address, reachOf(address)]).toEqual([address, REACH[reach]])
  })

  it('is told of a host where it is an address, however a URL writes it, or this machine by name', () => {
    const reach = (url: string) => reachOfHost(new URL(url).hostname)
    expect(reach('http://[::1]:1')).toBe(REACH.machine)
    expect(reach('http://2130706433/')).toBe(REACH.machine)
    expect(reach('http://0x7f.1/')).toBe(REACH.machine)
    expect(reach('http://sub.localhost/')).toBe(REACH.machine)
    expect(reach('http://localhost.example/')).toBe(REACH.internet)
    expect(isLoopback('10.0.0.1')).toBe(false)
  })

  it('of a name is found when it is resolved', async () => {
    const found = (most: (typeof REACH)[keyof typeof REACH]) =>
      new Promise((done) =>
        lookupWithin(most)('localhost', { all: true }, (error) => done(error?.message ?? 'allowed')),
      )
    expect(await found(REACH.machine)).toBe('allowed')
    expect(await found(REACH.network)).toMatch(/not allowed/)
  })
})

describe('a proxy', () => {
  it.each([
    'http://127.0.0.1:1',
    'http://localhost',
    'https://[::1]',
    'http://127.8.8.8',
    'http://a.localhost',
  ])('is not asked for this machine: %s', (url) => {
    const env = { http_proxy: 'http://p:1', HTTPS_PROXY: 'http://p:1', ALL_PROXY: 'http://p:1' }
    expect(proxyFor(new URL(url), env)).toBeUndefined()
    expect(proxyFor(new URL('http://127.example'), env)?.host).toBe('p:1')
  })
})
