/** The worker: one engine behind a Unix socket, until nobody has asked anything for a time. */
import { chmodSync, linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import type { Engine } from '../engine/engine.ts'
import { orNothing } from '../system/or-nothing.ts'
import { callWorker } from './call.ts'
import { type Opening, type OpeningNote, PROTOCOL, type WorkerStatus } from './protocol.ts'
import { type HandedPages, WorkerConnection } from './worker-connection.ts'

export interface WorkerOptions {
  readonly engine: Engine
  /** Of the settings that it was opened with. */
  readonly key: string
  /** What was told while it was opened. */
  readonly notes: readonly OpeningNote[]
  /** How long it stays after the last answer, in ms, until a run says otherwise. */
  readonly keepAliveMs: number
  /** Whether an engine that is opened now would be the same. */
  readonly isFresh: () => Promise<boolean>
  readonly writeLater: (handed: HandedPages) => Promise<boolean>
  readonly stallMs?: number | undefined
}

const STALL_MS = 10_000
/** Connections at a time; one more is told to do without. */
const MOST_CONNECTIONS = 128
/** A connection without a first word is none of ours. */
const HELLO_MS = 5000
/** Between two looks whether its socket is still where it was. */
const LOOK_MS = 60_000
const CHANGED = 'the model has changed'
/** How long whoever listens at a socket may take to say that he does. */
const PROBE_MS = 5000

export class WorkerServer {
  readonly #options: WorkerOptions
  readonly #server: Server
  readonly #connections = new Set<WorkerConnection>()
  readonly ended: Promise<void>
  #end!: () => void
  #path = ''
  #inode = 0n
  #active = 0
  #answered = 0
  #keepAliveMs: number
  #idleSince = performance.now()
  #idle: NodeJS.Timeout | undefined
  #look: NodeJS.Timeout | undefined
  #isClosing = false

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#keepAliveMs = options.keepAliveMs
    this.#server = createServer((socket) => this.#welcome(socket))
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  /** Listens at `path`. False where a worker does already. @throws what the system says */
  async listen(path: string): Promise<boolean> {
    const own = `${path}.${process.pid}`
    await listenAt(this.#server, own)
    try {
      // Nobody but this user can enter the folder; nor may anybody else speak here.
      chmodSync(own, 0o600)
      this.#inode = lstatSync(own, { bigint: true }).ino
      if (!(await takePlace(own, path))) {
        this.#server.close()
        return false
      }
    } finally {
      orNothing(() => unlinkSync(own))
    }
    this.#path = path
    this.#look = setInterval(() => {
      if (!this.#isInPlace()) this.close()
    }, LOOK_MS)
    this.#setIdle()
    return true
  }

  get status(): WorkerStatus {
    const { model } = this.#options.engine
    const idleLeftMs = this.#idleSince + this.#keepAliveMs - performance.now()
    return {
      is: 'status',
      pid: process.pid,
      model: model.id,
      dtype: model.dtype,
      active: this.#active,
      answered: this.#answered,
      rssBytes: process.memoryUsage.rss(),
      ...(this.#active === 0 && { idleLeftMs: Math.max(0, Math.round(idleLeftMs)) }),
    }
  }

  /** Nobody new is let in; what is under way ends first. */
  close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    clearTimeout(this.#idle)
    clearInterval(this.#look)
    if (this.#isInPlace()) orNothing(() => unlinkSync(this.#path))
    this.#server.close()
    this.#leaveIfDone()
  }

  #isInPlace(): boolean {
    return orNothing(() => lstatSync(this.#path, { bigint: true }).ino) === this.#inode
  }

  #leaveIfDone(): void {
    if (!this.#isClosing || this.#active > 0) return
    for (const connection of this.#connections) connection.hangUp()
    this.#end()
  }

  #welcome(socket: Socket): void {
    const hasSaid = setTimeout(() => socket.destroy(), HELLO_MS)
    const { engine, writeLater, stallMs = STALL_MS } = this.#options
    const connection = new WorkerConnection(socket, {
      engine,
      writeLater,
      stallMs,
      open: (opening, from) => {
        clearTimeout(hasSaid)
        return this.#open(opening, from)
      },
      onActive: (change) => this.#count(change),
    })
    this.#connections.add(connection)
    socket.on('close', () => {
      clearTimeout(hasSaid)
      this.#connections.delete(connection)
    })
  }

  async #open(opening: Opening, connection: WorkerConnection): Promise<boolean> {
    if (opening.do === 'status') connection.say(this.status)
    if (opening.do === 'stop') {
      const mayStop = opening.ifIdle !== true || this.#active === 0
      connection.say(mayStop ? { is: 'stopping', active: this.#active } : { is: 'refused', why: 'busy' })
      if (mayStop) this.close()
    }
    if (opening.do !== 'hello') return false
    const why = await this.#whyNot(opening)
    if (why !== undefined) {
      connection.say({ is: 'refused', why })
      // What it holds is nobody's model any more.
      if (why === CHANGED) this.close()
      return false
    }
    const { engine, notes } = this.#options
    const { keepAliveMs } = opening
    if (keepAliveMs !== undefined) this.#keepAliveMs = keepAliveMs
    if (this.#active === 0) this.#setIdle()
    const { model, promises, sharesRuns } = engine
    const keepsPrompts = engine.handOverPrompt !== undefined
    connection.say({ is: 'ready', pid: process.pid, model, promises, sharesRuns, keepsPrompts, notes })
    return true
  }

  async #whyNot({ protocol, key }: Extract<Opening, { do: 'hello' }>): Promise<string | undefined> {
    if (protocol !== PROTOCOL || key !== this.#options.key) return 'other'
    if (this.#isClosing) return 'closing'
    if (this.#connections.size > MOST_CONNECTIONS) return 'busy'
    return (await this.#options.isFresh()) ? undefined : CHANGED
  }

  #count(change: 1 | -1): void {
    this.#active += change
    if (change < 0) this.#answered++
    clearTimeout(this.#idle)
    if (this.#active > 0) return
    this.#setIdle()
    this.#leaveIfDone()
  }

  #setIdle(): void {
    clearTimeout(this.#idle)
    this.#idleSince = performance.now()
    if (!this.#isClosing) this.#idle = setTimeout(() => this.close(), this.#keepAliveMs)
  }
}

function listenAt(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path, backlog: 511 }, () => {
      server.off('error', reject)
      server.on('error', () => undefined)
      resolve()
    })
  })
}

/**
 * Gives a socket the name that runs look for. Of many that want it at once one gets it; one whose process is gone is put aside
 * first, and back again where that was an error.
 */
async function takePlace(own: string, path: string): Promise<boolean> {
  for (;;) {
    try {
      linkSync(own, path)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (await isAnswered(path)) return false
    const aside = `${own}.aside`
    orNothing(() => renameSync(path, aside))
    const wasTaken = await isAnswered(aside)
    if (wasTaken) orNothing(() => linkSync(aside, path))
    orNothing(() => unlinkSync(aside))
    if (wasTaken) return false
  }
}

async function isAnswered(path: string): Promise<boolean> {
  const answer = await callWorker(path, { opening: { do: 'status' }, patienceMs: PROBE_MS })
  answer?.call.hangUp()
  return answer !== undefined
}
