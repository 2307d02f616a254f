/** The library in one call: an answer as a whole, or piece by piece. */
import type { Engine, EngineResult } from '../engine/engine.ts'
import { makeRequest, type RequestInput } from '../engine/request.ts'
import { openEngine } from './open-engine.ts'
import type { OpenEngineOptions } from './open-options.ts'

export interface CompleteOptions extends Omit<RequestInput, 'prompt'>, OpenEngineOptions {
  /** One that is open already, and stays open; without it the model is loaded for this answer alone. */
  readonly engine?: Engine | undefined
}

export interface Answer extends EngineResult {
  readonly text: string
  /** What a chat model thought before it; `''` for one that does not. */
  readonly reasoning: string
}

/**
 * The answer to a prompt.
 * @throws SpoutError with the code of what went wrong; the signal's reason when it is aborted before anything is computed.
 * An answer that is aborted later is the text so far, with the finish reason `aborted`.
 */
export async function complete(prompt: string, options: CompleteOptions = {}): Promise<Answer> {
  const [text, reasoning]: [string[], string[]] = [[], []]
  const result = await withEngine(options, (engine) =>
    engine.generate(makeRequest({ ...options, prompt }), {
      signal: options.signal,
      sink: {
        token: (_, piece) => void text.push(piece),
        lastPiece: (piece) => void text.push(piece),
        reasoning: (piece) => void reasoning.push(piece),
      },
    }),
  )
  return { ...result, text: text.join(''), reasoning: reasoning.join('') }
}

/**
 * The answer in pieces, as each becomes certain; joined they are the answer. Whoever is slow to take the next one is waited
 * for, and leaving the loop ends the computing. The last `return` value is how it ended.
 * @throws SpoutError as `complete` does, after the pieces so far.
 */
export async function* stream(
  prompt: string,
  options: CompleteOptions = {},
): AsyncGenerator<string, EngineResult, void> {
  const pieces = new Handover()
  const left = new AbortController()
  const abort = (): void => left.abort(options.signal?.reason)
  options.signal?.throwIfAborted()
  options.signal?.addEventListener('abort', abort, { once: true })
  const running = withEngine({ ...options, signal: left.signal }, (engine) =>
    engine.generate(makeRequest({ ...options, prompt }), {
      signal: left.signal,
      sink: { token: (_, piece) => pieces.give(piece), lastPiece: (piece) => pieces.give(piece) },
    }),
  ).finally(() => pieces.close())
  // Waited for below, also where the loop is left.
  running.catch(() => undefined)
  try {
    for (let piece = await pieces.take(); piece !== undefined; piece = await pieces.take()) yield piece
    return await running
  } finally {
    options.signal?.removeEventListener('abort', abort)
    left.abort()
    pieces.close()
    await running.catch(() => undefined)
  }
}

async function withEngine<T>(options: CompleteOptions, use: (engine: Engine) => Promise<T>): Promise<T> {
  if (options.engine !== undefined) return use(options.engine)
  const engine = await openEngine(options)
  try {
    return await use(engine)
  } finally {
    await engine.dispose()
  }
}

/** Hands one piece at a time from who computes to who reads. */
class Handover {
  #piece: string | undefined
  #isClosed = false
  #given: (() => void) | undefined
  #taken: (() => void) | undefined

  /** Resolves when the piece has been taken, or nobody will take it any more. */
  give(piece: string): Promise<void> | undefined {
    if (piece === '' || this.#isClosed) return undefined
    this.#piece = piece
    this.#given?.()
    return new Promise((resolve) => {
      this.#taken = resolve
    })
  }

  /** The next piece; `undefined` after the last. */
  async take(): Promise<string | undefined> {
    this.#taken?.()
    if (this.#piece === undefined && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#given = resolve
      })
    }
    const piece = this.#piece
    this.#piece = undefined
    return piece
  }

  close(): void {
    this.#isClosed = true
    this.#given?.()
    this.#taken?.()
  }
}
