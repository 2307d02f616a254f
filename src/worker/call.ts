/** A connection to a worker, from the run's side: bounded in time until it is known to be one that fits. */
import { connect, type Socket } from 'node:net'
import { LineReader, lineOf, messageOf } from './lines.ts'
import { isOwnSocket } from './place.ts'
import type { Asked, Opening, Said } from './protocol.ts'

/** Bytes of what a worker says in one line: an answer's result has its ids. */
const LONGEST_LINE = 64 << 20

/** The worker went away, stands still, or says what no worker of this version says. */
export class WorkerLost extends Error {
  override readonly name = 'WorkerLost'
}

/** What comes; a promise holds back what comes after it. */
export type Hear = (said: Said) => Promise<void> | undefined | void

export class WorkerCall {
  readonly #socket: Socket
  readonly #lines = new LineReader(LONGEST_LINE)
  #waiting: string[] = []
  #isHeld = false
  #hasEnded = false
  #hear: Hear = () => undefined
  #onLost: (why: WorkerLost) => void = () => undefined
  #lost: WorkerLost | undefined
  /** When anything came last, or could have been heard. */
  heardAt = performance.now()

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#hasEnded = true
      this.#pump()
    })
  }

  get lost(): WorkerLost | undefined {
    return this.#lost
  }

  /** True while what came is not taken yet: then silence is ours. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  listen(hear: Hear, onLost: (why: WorkerLost) => void): void {
    this.#hear = hear
    this.#onLost = onLost
  }

  say(message: Opening | Asked): void {
    if (this.#lost === undefined && !this.#socket.destroyed) this.#socket.write(lineOf(message))
  }

  /** Ends it. Whatever was asked is not wanted any more. */
  hangUp(why = 'it was hung up'): void {
    this.#lose(why)
  }

  /** While nothing is asked it keeps no process alive. */
  setBusy(isBusy: boolean): void {
    if (isBusy) this.#socket.ref()
    else this.#socket.unref()
  }

  #take(chunk: Buffer): void {
    this.heardAt = performance.now()
    try {
      this.#waiting.push(...this.#lines.push(chunk))
      this.#pump()
    } catch (error) {
      this.#lose((error as Error).message)
    }
  }

  #pump(): void {
    while (!this.#isHeld && this.#waiting.length > 0 && this.#lost === undefined) {
      let wait: Promise<void> | undefined | void
      try {
        wait = this.#hear(messageOf(this.#waiting.shift()!) as Said)
      } catch (error) {
        this.#lose((error as Error).message)
        return
      }
      if (wait !== undefined) this.#hold(wait)
    }
    if (this.#hasEnded && !this.#isHeld && this.#waiting.length === 0) this.#lose('it went away')
  }

  #hold(wait: Promise<void>): void {
    this.#isHeld = true
    this.#socket.pause()
    const goOn = (): void => {
      this.#isHeld = false
      this.heardAt = performance.now()
      this.#socket.resume()
      this.#pump()
    }
    wait.then(goOn, goOn)
  }

  #lose(why: string): void {
    if (this.#lost !== undefined) return
    this.#lost = new WorkerLost(`worker: ${why}`)
    this.#waiting = []
    this.#socket.destroy()
    this.#onLost(this.#lost)
  }
}

interface CallOptions {
  readonly opening: Opening
  /** How long a worker may take to answer the first word, in ms. */
  readonly patienceMs: number
}

/** Calls whoever listens at a socket of ours, and gives the first answer. `undefined`: nobody, or none in time. */
export function callWorker(
  path: string,
  { opening, patienceMs }: CallOptions,
): Promise<{ readonly call: WorkerCall; readonly said: Said } | undefined> {
  if (!isOwnSocket(path)) return Promise.resolve(undefined)
  return new Promise((resolve) => {
    const call = new WorkerCall(connect(path))
    const timer = setTimeout(() => call.hangUp('it says nothing'), patienceMs)
    const settle = (said?: Said): void => {
      clearTimeout(timer)
      resolve(said === undefined ? undefined : { call, said })
    }
    call.listen(
      (said) => settle(said),
      () => settle(),
    )
    call.say(opening)
  })
}
