/** Asks servers until one has answered, as far as that may be done without a word lost or said twice. */
import type { GenerateRequest } from '../engine/request.ts'
import { SpoutError } from '../errors.ts'
import { TransientError } from '../hub/hub-errors.ts'
import { type Patience, Waits } from '../hub/retry.ts'
import type { Fleet } from './fleet.ts'
import type { AnswerListener, WholeAnswer } from './read-answer.ts'
import type { Call } from './request-body.ts'
import type { RemoteServer } from './server.ts'

type Tries = Pick<Patience, 'tries' | 'firstWaitMs' | 'longestWaitMs' | 'totalWaitMs'>

/** Of one answer that somebody waits for. */
export const ONE: Tries = { tries: 4, firstWaitMs: 1_000, longestWaitMs: 8_000, totalWaitMs: 60_000 }
/** Of one of many: a server that is started anew costs minutes, the whole run hours. */
export const MANY: Tries = { tries: 8, firstWaitMs: 1_000, longestWaitMs: 30_000, totalWaitMs: 1_800_000 }

export interface AskingParts {
  readonly fleet: Fleet
  readonly tries: Tries
  /** Answers are collected before they are handed on: whatever cut one, it is asked for anew. */
  readonly whole: boolean
  /** Told of what is tried again. */
  readonly note: (text: string) => void
}

/** Hears one try. */
export interface Hearing extends AnswerListener {
  /** Something has been handed on: from now on an error is the end. */
  readonly isHandedOn: boolean
  /** Forgets what it has heard: the answer begins anew. */
  restart(): void
}

export class Asking {
  readonly #parts: AskingParts

  constructor(parts: AskingParts) {
    this.#parts = parts
  }

  get fleet(): Fleet {
    return this.#parts.fleet
  }

  /** @throws SpoutError when nobody has answered; the signal's reason */
  async ask(
    request: GenerateRequest,
    call: Call,
    { hearing, signal }: { readonly hearing: Hearing; readonly signal: AbortSignal | undefined },
  ): Promise<WholeAnswer> {
    const { fleet, whole, note, tries } = this.#parts
    const waits = new Waits({ ...UNUSED, ...tries }, signal, whole)
    const tried = new Set<RemoteServer>()
    for (;;) {
      const server = fleet.choose(request, tried)
      const before = server.answered
      try {
        return await this.#try(server, call, { hearing, signal })
      } catch (error) {
        if (!(error instanceof TransientError)) throw error
        if (hearing.isHandedOn) throw error.final
        if (!whole && isFault(error)) throw error.final
        hearing.restart()
        tried.add(server)
        if (fleet.hasOther(tried)) {
          note(`${error.message}; asking another`)
          continue
        }
        tried.clear()
        // It answers others: waiting is worth it.
        if (server.answered > before) waits.reset()
        await waits.after(error, note).catch((final) => {
          signal?.throwIfAborted()
          throw asRun(final, whole)
        })
      }
    }
  }

  async #try(
    server: RemoteServer,
    call: Call,
    { hearing, signal }: { readonly hearing: Hearing; readonly signal: AbortSignal | undefined },
  ): Promise<WholeAnswer> {
    const { fleet } = this.#parts
    const pass = await server.gate.enter(signal)
    let end: 'busy' | 'answered' | 'failed' = 'failed'
    try {
      const answer = await server.ask(call, hearing, signal)
      end = 'answered'
      fleet.back(server)
      return answer
    } catch (error) {
      if (error instanceof TransientError) {
        if (error.final.code === 'try-later') end = 'busy'
        if (error.final.code === 'unavailable') fleet.rest(server)
        if (error.waitMs !== undefined) server.gate.close(error.waitMs)
      }
      throw error
    } finally {
      server.gate.leave(pass, end)
    }
  }
}

/** Of downloads. */
const UNUSED = { stallMs: 0, answerMs: 0, pollMs: 0, lockStaleMs: 0, noticeMs: 0 }

function isFault({ final }: TransientError): boolean {
  return final.code === 'protocol'
}

/** What a run of many makes of an error: where nobody can be reached it may be run again, what is no answer is one line's. */
function asRun(error: unknown, whole: boolean): unknown {
  if (!whole || !(error instanceof SpoutError)) return error
  const { code, message } = error
  if (code === 'unavailable')
    return new SpoutError('try-later', message, {
      hint: 'run the same command again: it goes on',
      cause: error,
    })
  return code === 'protocol' ? new SpoutError('failed', message, { cause: error }) : error
}
