/** How much a server is given at once, and which of several is given what. */
import { expect, test } from 'vitest'
import { makeRequest } from '../../src/engine/request.ts'
import { createAgents } from '../../src/hub/http-exchange.ts'
import { Fleet } from '../../src/remote/fleet.ts'
import { Gate } from '../../src/remote/gate.ts'
import { DEADLINES, RemoteServer } from '../../src/remote/server.ts'

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  const open = Symbol('open')
  await new Promise(setImmediate)
  return (await Promise.race([promise, Promise.resolve(open)])) !== open
}

test('so many at once, first come first served; whoever gives up is passed over', async () => {
  const gate = new Gate({ most: 2 })
  const [first] = await Promise.all([gate.enter(), gate.enter()])
  const stop = new AbortController()
  const third = gate.enter(stop.signal)
  const fourth = gate.enter()
  expect([gate.isOpen, gate.load, await settled(fourth)]).toEqual([false, 2, false])
  stop.abort(new Error('enough'))
  await expect(third).rejects.toThrow('enough')
  gate.leave(first, 'answered')
  await fourth
  expect(gate.load).toBe(1)
  await expect(gate.enter(stop.signal)).rejects.toThrow('enough')
})

test('it halves once for all that were let in before, never below one, and grows again by answers', async () => {
  const gate = new Gate({ most: 8 })
  const all = await Promise.all(Array.from({ length: 8 }, () => gate.enter()))
  for (const pass of all) gate.leave(pass, 'busy')
  expect(gate.limit).toBe(4)
  for (let i = 0; i < 5; i++) gate.leave(await gate.enter(), 'busy')
  expect(gate.limit).toBe(1)
  for (let i = 0; i < 3; i++) gate.leave(await gate.enter(), 'failed')
  expect(gate.limit).toBe(1)
  for (let i = 0; i < 60; i++) gate.leave(await gate.enter(), 'answered')
  expect(gate.limit).toBe(8)
})

test('while it is closed nobody is let in', async () => {
  let now = 0
  const gate = new Gate({ most: 2, now: () => now })
  gate.close(1000)
  gate.close(10)
  expect([gate.isOpen, gate.closedMs]).toEqual([false, 1000])
  const waiting = gate.enter()
  expect(await settled(waiting)).toBe(false)
  now = 1001
  gate.close(0)
  await waiting
  expect(gate.isOpen).toBe(true)
})

const agents = createAgents()
const serverOf = (name: string): RemoteServer =>
  new RemoteServer({
    base: `http://${name}/v1`,
    key: undefined,
    env: {},
    agents,
    deadlines: DEADLINES,
    most: 2,
  })
const asked = (text: string) => makeRequest({ prompt: text })
const NAMES = ['a', 'b', 'c']

test('what begins alike goes to one server, and the other beginnings to all', () => {
  const fleet = new Fleet(NAMES.map(serverOf))
  const beginning = 'x'.repeat(1024)
  const chosen = Array.from({ length: 10 }, (_, i) => fleet.choose(asked(`${beginning}${i}`)))
  expect(new Set(chosen).size).toBe(1)
  const others = Array.from({ length: 100 }, (_, i) => fleet.choose(asked(`question ${i}`)))
  expect(new Set(others)).toEqual(new Set(fleet.servers))
})

test('one server less moves no prompt between the others', () => {
  const [all, two] = [new Fleet(NAMES.map(serverOf)), new Fleet(NAMES.slice(0, 2).map(serverOf))]
  for (let i = 0; i < 100; i++) {
    const before = all.choose(asked(`question ${i}`)).origin
    if (before !== 'http://c') expect(two.choose(asked(`question ${i}`)).origin).toBe(before)
  }
})

test('the next takes it where one has enough to do, has failed it, or cannot be reached', async () => {
  let now = 0
  const fleet = new Fleet(NAMES.map(serverOf), () => now)
  const request = asked('question')
  const first = fleet.choose(request)
  await Promise.all([first.gate.enter(), first.gate.enter()])
  const second = fleet.choose(request)
  expect(second).not.toBe(first)
  expect(fleet.choose(request, new Set([second]))).not.toBe(second)
  fleet.rest(second)
  expect(fleet.choose(request)).not.toBe(second)
  now = 2001
  expect(fleet.choose(request)).toBe(second)
  fleet.back(second)
  for (const server of fleet.servers) fleet.rest(server)
  expect([fleet.hasOther(new Set()), fleet.servers.includes(fleet.choose(request))]).toEqual([false, true])
})

test('a key goes encrypted anywhere, in clear nearby, and through no proxy in clear', () => {
  const carry = (base: string, env = {}): RemoteServer =>
    new RemoteServer({ base, key: 'k', env, agents, deadlines: DEADLINES, most: 1 })
  for (const base of [
    'https://example.com/v1',
    'http://10.1.2.3:8000/v1',
    'http://localhost:1/v1',
    'http://[::1]/v1',
  ])
    expect(carry(base).origin).toBe(new URL(base).origin)
  expect(() => carry('http://example.com/v1')).toThrow('in clear, over any network')
  expect(() => carry('http://169.254.169.254/v1')).toThrow('in clear')
  expect(() => carry('http://10.1.2.3/v1', { http_proxy: 'http://p:1' })).toThrow('in clear, through a proxy')
  expect(carry('https://example.com/v1', { https_proxy: 'http://p:1' }).origin).toBe('https://example.com')
})
