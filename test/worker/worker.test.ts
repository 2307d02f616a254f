/** A worker and its runs in one process, with an engine that does as it is told. */
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, expect, test } from 'vitest'
import type { Engine, EngineResult, RequestIo } from '../../src/engine/engine.ts'
import { makeRequest } from '../../src/engine/request.ts'
import { SpoutError } from '../../src/errors.ts'
import { callWorker } from '../../src/worker/call.ts'
import { LineReader, lineOf, messageOf } from '../../src/worker/lines.ts'
import { fitsSocket, openWorkerFolder, socketPath } from '../../src/worker/place.ts'
import { PROTOCOL, type Said } from '../../src/worker/protocol.ts'
import { WorkerEngine } from '../../src/worker/worker-engine.ts'
import { type WorkerOptions, WorkerServer } from '../../src/worker/worker-server.ts'
import { makeRandom } from '../support/random.ts'

const folder = mkdtempSync(join(tmpdir(), 'spout-worker-unit-'))
const KEY = '0123456789abcdef0123456789abcdef'
const opened: WorkerServer[] = []
const joinedOnes: WorkerEngine[] = []
let count = 0

afterEach(() => {
  for (const engine of joinedOnes.splice(0)) void engine.dispose()
  for (const server of opened.splice(0)) server.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const TEXT = ['a', 'b', 'c', 'd', 'e', 'f']
const request = makeRequest({ prompt: 'once', sampling: { seed: 2n ** 63n, logitBias: new Map([[3, -1]]) } })

interface Told {
  readonly pieces: string[]
  readonly notes: string[]
  starts: number
}

/** A run that notes what it is handed. */
function taking(more: Partial<RequestIo> = {}): { io: RequestIo; told: Told } {
  const told: Told = { pieces: [], notes: [], starts: 0 }
  const io: RequestIo = {
    sink: {
      token: (_, text) => void told.pieces.push(text),
      lastPiece: (text) => void told.pieces.push(`last ${text}`),
      reasoning: (text) => void told.pieces.push(`(${text})`),
    },
    note: (text) => void told.notes.push(text),
    onStart: () => {
      told.starts++
    },
    ...more,
  }
  return { io, told }
}

interface Script {
  /** What is handed on; a number waits for so many more calls of `step`. */
  readonly pieces?: readonly string[]
  /** Before the piece of that number. */
  readonly before?: (index: number, io: RequestIo) => Promise<void> | void
  readonly fail?: (index: number) => void
}

/** An engine that hands on a text. */
function scripted({ pieces = TEXT, before, fail }: Script = {}): Engine & { asked: number; aborted: number } {
  const generate = async (asked: typeof request, io: RequestIo): Promise<EngineResult> => {
    engine.asked++
    const facts = {
      ...{ promptTokens: 4, keptTokens: 1, seed: asked.sampling.seed ?? 7n, isChat: true },
      sampling: { temperature: 0.5, logitBias: new Map([[1, 2]]) },
    }
    io.note?.('a note')
    io.onStart?.(facts)
    io.onPrefill?.(4, 4)
    let chosen = 0
    let finishReason: EngineResult['finishReason'] = 'stop'
    await io.sink.reasoning?.('hm')
    for (const [i, piece] of pieces.entries()) {
      await before?.(i, io)
      fail?.(i)
      if (io.signal?.aborted) {
        engine.aborted++
        finishReason = 'aborted'
        break
      }
      const logprobs = { logprob: Number.NEGATIVE_INFINITY, top: [], token: piece, bytes: [1] }
      await io.sink.token(i, piece, logprobs)
      chosen++
    }
    await io.sink.lastPiece('!')
    const now = performance.now()
    const timings = { startedAt: now, prefilledAt: now, endedAt: now, firstTextAt: undefined }
    const tokenIds = Array.from({ length: chosen }, (_, i) => i)
    const completionTokens = chosen
    return {
      ...facts,
      finishReason,
      tokenIds,
      completionTokens,
      timings,
      maxTokens: 0,
      lengthLimit: 'default',
    }
  }
  const engine = {
    asked: 0,
    aborted: 0,
    model: { id: 'toy', dtype: 'q4', runs: { threads: 1 }, contextLength: 64 },
    sharesRuns: true,
    work: { texts: 0, waiting: 0, steps: 0, rows: 0 },
    generate,
    sample: (asked: typeof request, ios: readonly RequestIo[]) =>
      Promise.all(ios.map((io) => generate(asked, io))),
    choose: async () => ({ choices: [{ choice: 'x', logprob: Number.NEGATIVE_INFINITY }], promptTokens: 3 }),
    score: async () => ({ tokens: [], logprob: -1.5, perplexity: Number.POSITIVE_INFINITY, windows: 1 }),
    dispose: async () => undefined,
  }
  return engine as unknown as Engine & { asked: number; aborted: number }
}

async function worker(engine: Engine, more: Partial<WorkerOptions> = {}): Promise<string> {
  const path = socketPath(folder, `${count++}`.padStart(32, '0'))
  const server = new WorkerServer({
    ...{ engine, key: KEY, notes: [], keepAliveMs: 600_000, isFresh: async () => true },
    writeLater: async () => true,
    ...more,
  })
  opened.push(server)
  expect(await server.listen(path)).toBe(true)
  return path
}

interface Joined {
  readonly engine: WorkerEngine
  readonly lost: string[]
}

async function joined(path: string, own: Engine, quietMs?: number): Promise<Joined> {
  const opening = { do: 'hello', protocol: PROTOCOL, key: KEY } as const
  const answer = await callWorker(path, { opening, patienceMs: 60_000 })
  if (answer?.said.is !== 'ready') throw new Error(`not ready: ${JSON.stringify(answer?.said)}`)
  const lost: string[] = []
  const engine = new WorkerEngine(answer.call, answer.said, {
    openOwn: async () => own,
    onLost: ({ message }) => void lost.push(message),
    quietMs,
  })
  joinedOnes.push(engine)
  return { engine, lost }
}

const never = (): Engine => {
  throw new Error('the worker is there')
}

const WHOLE = ['(hm)', ...TEXT, 'last !']

test('what a worker answers arrives whole, with all that is told of it', async () => {
  const engine = scripted()
  const { engine: remote } = await joined(await worker(engine), never as never)
  const { io, told } = taking()
  const result = await remote.generate(request, io)
  expect(told).toEqual({ pieces: WHOLE, notes: ['a note'], starts: 1 })
  expect(result.seed).toBe(2n ** 63n)
  expect(result.sampling.logitBias).toEqual(new Map([[1, 2]]))
  expect(result.tokenIds).toEqual([0, 1, 2, 3, 4, 5])
  const answers = [taking(), taking()]
  await remote.sample(
    request,
    answers.map((each) => each.io),
  )
  expect(answers.map((each) => each.told.pieces)).toEqual([WHOLE, WHOLE])
  const { choices } = await remote.choose({ request, choices: ['x', 'y'] })
  expect(choices[0]!.logprob).toBe(Number.NEGATIVE_INFINITY)
  expect((await remote.score({ text: 'x' })).perplexity).toBe(Number.POSITIVE_INFINITY)
  expect(() => remote.openConversation()).toThrow(SpoutError)
  await remote.dispose()
  await expect(remote.generate(request, io)).rejects.toThrow('disposed')
})

test('wherever a worker ends, the answer goes on in the process of the run, to the same text', async () => {
  for (let at = 0; at < TEXT.length; at++) {
    const own = scripted()
    const { engine: remote, lost } = await joined(await worker(scripted({ fail: dieAt(at) })), own)
    const { io, told } = taking()
    const result = await remote.generate(request, io)
    expect(told.pieces).toEqual(WHOLE)
    expect(told.starts).toBe(1)
    expect(result.tokenIds).toHaveLength(TEXT.length)
    expect([own.asked, lost.length]).toEqual([1, 1])
    const answers = [taking(), taking()]
    const again = await joined(await worker(scripted({ fail: dieAt(at) })), own)
    await again.engine.sample(
      request,
      answers.map((each) => each.io),
    )
    expect(answers.map((each) => each.told.pieces)).toEqual([WHOLE, WHOLE])
  }
})

test('an answer that comes out otherwise the second time is an error, never a mixture', async () => {
  const path = await worker(scripted({ fail: dieAt(3) }))
  const { engine: remote } = await joined(path, scripted({ pieces: ['a', 'b', 'x', 'd'] }))
  const { io, told } = taking()
  await expect(remote.generate(request, io)).rejects.toThrow('worker: it ended in the middle')
  expect(told.pieces).toEqual(['(hm)', 'a', 'b', 'c'])
})

/** What is no failure of ours closes the connection. */
function dieAt(index: number): (i: number) => void {
  return (i) => {
    if (i === index) throw new TypeError('the engine breaks')
  }
}

test('what breaks in a worker is done by the run itself; what is wrong with the request is not', async () => {
  const own = scripted()
  const broken = await joined(await worker(scripted({ fail: dieAt(2) })), own)
  const { io, told } = taking()
  await broken.engine.generate(request, io)
  expect(told.pieces).toEqual(WHOLE)
  expect(own.asked).toBe(1)
  // Once lost it is not asked again.
  await broken.engine.generate(request, taking().io)
  expect(own.asked).toBe(2)
  const memory = (): void => {
    throw new SpoutError('os', 'memory: none')
  }
  const full = await joined(await worker(scripted({ fail: memory })), own)
  await full.engine.generate(request, taking().io)
  expect(own.asked).toBe(3)
  const wrong = (): void => {
    throw new SpoutError('data', 'prompt: too long', { hint: 'shorten it' })
  }
  const refused = await joined(await worker(scripted({ fail: wrong })), own)
  await expect(refused.engine.generate(request, taking().io)).rejects.toMatchObject({
    code: 'data',
    message: 'prompt: too long',
    hint: 'shorten it',
  })
  expect(own.asked).toBe(3)
})

test('who is gone, or does not want it any more, is not computed for', async () => {
  let turn!: () => void
  const waits = (): Promise<void> =>
    new Promise((resolve) => {
      turn = resolve
    })
  const engine = scripted({ before: (i) => (i === 2 ? waits() : undefined) })
  const path = await worker(engine)
  const { engine: remote } = await joined(path, scripted())
  const controller = new AbortController()
  const { io, told } = taking({ signal: controller.signal })
  const answer = remote.generate(request, io)
  while (told.pieces.length < 3) await sleep(1)
  controller.abort()
  await untilTold(path, ({ active }) => active === 1)
  turn()
  expect((await answer).finishReason).toBe('aborted')
  expect(told.pieces).toEqual(['(hm)', 'a', 'b', 'last !'])
  // The whole run goes.
  const gone = await joined(path, scripted())
  const second = taking()
  void gone.engine.generate(request, second.io).catch(() => undefined)
  while (second.told.pieces.length < 3) await sleep(1)
  await gone.engine.dispose()
  await sleep(10)
  turn()
  while (engine.aborted < 2) await sleep(1)
  await untilTold(path, ({ active }) => active === 0)
})

/** Asks a worker until it is so. */
async function untilTold(
  path: string,
  isSo: (status: Extract<Said, { is: 'status' }>) => boolean,
): Promise<void> {
  for (;;) {
    const answer = await callWorker(path, { opening: { do: 'status' }, patienceMs: 60_000 })
    answer?.call.hangUp()
    if (answer?.said.is === 'status' && isSo(answer.said)) return
    await sleep(2)
  }
}

test('a line whose answer is not wanted any more takes no other with it, and loads no model', async () => {
  const engine = scripted()
  const waiting: (() => void)[] = []
  engine.choose = (_, { signal } = {}) =>
    new Promise((_, reject) => {
      waiting.push(() => reject(signal?.reason))
      signal?.addEventListener('abort', () => reject(signal.reason))
    })
  const path = await worker(engine)
  const { engine: remote, lost } = await joined(path, new Proxy({} as Engine, { get: never }))
  const controller = new AbortController()
  const asked = { request, choices: ['x', 'y'] }
  const answer = remote.choose(asked, { signal: controller.signal })
  while (waiting.length === 0) await sleep(1)
  controller.abort(new Error('enough'))
  await expect(answer).rejects.toThrow('enough')
  const { io, told } = taking()
  await remote.generate(request, io)
  expect(told.pieces).toEqual(WHOLE)
  expect(lost).toEqual([])
})

test('a worker that says nothing any more is left', async () => {
  const path = socketPath(folder, `${count++}`.padStart(32, '0'))
  const ready = {
    is: 'ready',
    pid: 1,
    model: scripted().model,
    sharesRuns: true,
    keepsPrompts: false,
    notes: [],
  }
  const silent = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.write(lineOf(ready))
    socket.resume()
  })
  await new Promise<void>((resolve) => silent.listen(path, resolve))
  chmodSync(path, 0o600)
  const own = scripted()
  const { engine: remote, lost } = await joined(path, own, 40)
  const { io, told } = taking()
  await remote.generate(request, io)
  expect(told.pieces).toEqual(WHOLE)
  expect(lost).toEqual(['worker: it stands still'])
  silent.close()
})

test('a run that reads slowly holds its own answer up, and one that stands still is left', async () => {
  const long = Array.from({ length: 2000 }, (_, i) => `${i} ${'x'.repeat(300)}`)
  let handed = 0
  const engine = scripted({
    pieces: long,
    before: (i) => {
      handed = i
    },
  })
  const path = await worker(engine, { stallMs: 60_000 })
  const { engine: remote } = await joined(path, scripted())
  let goOn!: () => void
  const held = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const { io, told } = taking()
  const sink = {
    ...io.sink,
    token: (id: number, text: string) => {
      io.sink.token(id, text)
      return id === 0 ? held : undefined
    },
  }
  const answer = remote.generate(request, { ...io, sink })
  let before = -1
  while (handed === 0 || handed !== before) {
    before = handed
    await sleep(50)
  }
  expect(handed).toBeLessThan(long.length - 1)
  goOn()
  await answer
  expect(told.pieces).toEqual(['(hm)', ...long, 'last !'])
  // The same with less patience: the worker leaves, and the run has its answer all the same.
  const impatient = await worker(scripted({ pieces: long }), { stallMs: 50 })
  const other = await joined(impatient, scripted({ pieces: long }))
  const slow = taking()
  const waiting = {
    ...slow.io.sink,
    token: async (id: number, text: string) => {
      slow.io.sink.token(id, text)
      if (id === 0) while (other.lost.length === 0 && (await activeAt(impatient)) > 0) await sleep(5)
    },
  }
  await other.engine.generate(request, { ...slow.io, sink: waiting })
  expect(slow.told.pieces).toEqual(['(hm)', ...long, 'last !'])
})

async function activeAt(path: string): Promise<number> {
  const answer = await callWorker(path, { opening: { do: 'status' }, patienceMs: 60_000 })
  answer?.call.hangUp()
  return answer?.said.is === 'status' ? answer.said.active : 0
}

test('whoever does not fit is told so, and goes on without', async () => {
  const hello = (more: object) => ({ do: 'hello', protocol: PROTOCOL, key: KEY, ...more }) as const
  const ask = async (path: string, opening: ReturnType<typeof hello>) => {
    const answer = await callWorker(path, { opening, patienceMs: 60_000 })
    answer?.call.hangUp()
    return answer?.said
  }
  const path = await worker(scripted())
  expect(await ask(path, hello({ key: 'other' }))).toEqual({ is: 'refused', why: 'other' })
  expect(await ask(path, hello({ protocol: PROTOCOL + 1 }))).toEqual({ is: 'refused', why: 'other' })
  expect(await ask(path, hello({}))).toMatchObject({ is: 'ready', pid: process.pid })
  const stale = await worker(scripted(), { isFresh: async () => false })
  expect(await ask(stale, hello({}))).toEqual({ is: 'refused', why: 'the model has changed' })
  // It is gone, so that another may take its place.
  expect(await ask(stale, hello({}))).toBeUndefined()
  expect(
    await callWorker(join(folder, 'none.sock'), { opening: { do: 'status' }, patienceMs: 1 }),
  ).toBeUndefined()
})

test('of many that want a place one gets it, and a dead one loses it', async () => {
  const path = socketPath(folder, 'f'.repeat(32))
  const make = () => {
    const server = new WorkerServer({
      ...{ engine: scripted(), key: KEY, notes: [], keepAliveMs: 600_000, isFresh: async () => true },
      writeLater: async () => true,
    })
    opened.push(server)
    return server
  }
  writeFileSync(path, 'no socket')
  const first = make()
  expect(await first.listen(path)).toBe(true)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(await make().listen(path)).toBe(false)
  expect(readdirSync(folder).filter((name) => name.startsWith('f'.repeat(32)))).toEqual([
    `${'f'.repeat(32)}.sock`,
  ])
  first.close()
  await first.ended
  expect(await make().listen(path)).toBe(true)
})

test('a worker goes when it is idle, not while it answers, and ends what it is at', async () => {
  let turn!: () => void
  const waits = new Promise<void>((resolve) => {
    turn = resolve
  })
  const path = await worker(scripted({ before: (i) => (i === 1 ? waits : undefined) }))
  const server = opened.at(-1)!
  const { engine: remote, lost } = await joined(path, scripted())
  const { io, told } = taking()
  const answer = remote.generate(request, io)
  while (told.pieces.length < 2) await sleep(1)
  const soon = { do: 'hello', protocol: PROTOCOL, key: KEY, keepAliveMs: 1 } as const
  const other = await callWorker(path, { opening: soon, patienceMs: 60_000 })
  expect(other?.said.is).toBe('ready')
  other?.call.hangUp()
  await sleep(20)
  expect(await activeAt(path)).toBe(1)
  turn()
  await answer
  expect(told.pieces).toEqual(WHOLE)
  expect(lost).toEqual([])
  await server.ended
  expect(await callWorker(path, { opening: { do: 'status' }, patienceMs: 60_000 })).toBeUndefined()
})

test('nothing that comes over the socket ends a worker', async () => {
  const path = await worker(scripted())
  const random = makeRandom(5)
  const lines = [
    ...[
      '',
      '\n',
      'null\n',
      '[]\n',
      '{}\n',
      '{"do":"hello"}\n',
      '{"do":1}\n',
      '\u0000\u00ff\n',
      '{"do":"stop","ifIdle":1',
    ],
    `{"do":"hello","protocol":${PROTOCOL},"key":"${KEY}"}\n`,
    '{"do":"generate","id":1}\n{"do":"generate","id":"x"}\n',
    '{"do":"generate","id":1,"request":{"messages":[]},"samples":-1}\n',
    '{"do":"choose","id":2,"request":null,"choices":3}\n{"do":"score","id":3}\n',
    '{"do":"keep","id":4,"requests":[1]}\n{"do":"cancel","id":77}\n{"do":"else","id":5}\n',
  ]
  for (let round = 0; round < Number(process.env.SPOUT_WORKER_ROUNDS ?? 60); round++) {
    const socket = connect(path)
    socket.on('error', () => undefined)
    const ended = new Promise((resolve) => socket.on('close', resolve))
    const hello = random() < 0.5 ? lines[9]! : ''
    const text = hello + Array.from({ length: 3 }, () => lines[Math.floor(random() * lines.length)]).join('')
    socket.end(text.slice(0, Math.ceil(text.length * (0.5 + random() / 2))))
    socket.resume()
    await ended
  }
  await untilTold(path, ({ active }) => active === 0)
  const { engine: remote } = await joined(path, never as never)
  const { io, told } = taking()
  await remote.generate(request, io)
  expect(told.pieces).toEqual(WHOLE)
})

test('lines come in any pieces, no longer than they may be, and no number is lost', () => {
  const message = {
    text: 'ä\n\ud800',
    numbers: [1.5, Number.NEGATIVE_INFINITY, 0.1 + 0.2],
    token: '"$number"',
  }
  const bytes = Buffer.from(lineOf(message).repeat(3))
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const reader = new LineReader(1000)
    const found: string[] = []
    for (let at = 0; at < bytes.length; at += size) found.push(...reader.push(bytes.subarray(at, at + size)))
    expect(found.map(messageOf)).toEqual([message, message, message])
  }
  const short = new LineReader(10)
  expect(() => short.push(Buffer.alloc(6))).not.toThrow()
  expect(() => short.push(Buffer.alloc(6))).toThrow('a line of more than 10 bytes')
})

test('a socket is looked for below the runtime folder, or in the cache, and only where both are ours', () => {
  const own = join(folder, 'run')
  expect(openWorkerFolder({ XDG_RUNTIME_DIR: own })).toHaveProperty('why')
  expect(openWorkerFolder({ XDG_RUNTIME_DIR: own }, { make: true })).toEqual({ path: join(own, 'spout') })
  const cache = { SPOUT_CACHE_DIR: join(folder, 'cache'), XDG_RUNTIME_DIR: 'relative' }
  expect(openWorkerFolder(cache, { make: true })).toEqual({ path: join(folder, 'cache/workers') })
  expect(fitsSocket('x'.repeat(103))).toBe(true)
  expect(fitsSocket('x'.repeat(104))).toBe(false)
})
