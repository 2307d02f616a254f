/** The answer of a server: events, or one document where it does not stream. Whole, or an error that says what is missing. */
import type { IncomingMessage } from 'node:http'
import type { NamedLogprobs } from '../engine/token-names.ts'
import type { FinishReason } from '../generation/stop-criteria.ts'
import type { SinkWait } from '../generation/token-sink.ts'
import { StallError } from '../hub/http-exchange.ts'
import { header } from '../hub/hub-errors.ts'
import { quote } from '../system/text-display.ts'
import { type CallKind, type Chunk, readChunk, type Usage } from './chunk.ts'
import { EventReader } from './event-reader.ts'
import { Fault } from './fault.ts'

export interface AnswerListener {
  piece(text: string, logprobs: readonly NamedLogprobs[]): SinkWait
  reasoning(text: string): SinkWait
}

export interface WholeAnswer {
  readonly finish: FinishReason
  readonly usage: Usage | undefined
}

const DONE = '[DONE]'
const MOST_DOCUMENT = 64 << 20

/**
 * Reads an answer to its end.
 * @param stallMs time without a byte; that in which the listener is waited for does not count
 * @throws Fault, ToldError; what the connection says when it is cut
 */
export async function readAnswer(
  response: IncomingMessage,
  { kind, stallMs }: { readonly kind: CallKind; readonly stallMs: number },
  listener: AnswerListener,
): Promise<WholeAnswer> {
  const answer = new AnswerReader(kind, listener)
  const chunks = chunksOf(response, stallMs)
  const type = (header(response, 'content-type') ?? 'nothing').split(';')[0]!.trim().toLowerCase()
  if (type === 'application/json') {
    await answer.take(await documentIn(chunks))
    return answer.whole()
  }
  if (type !== 'text/event-stream') throw new Fault(`${quote(type, 60)}, neither events nor JSON`)
  const events = new EventReader()
  for await (const bytes of chunks) {
    for (const data of events.read(bytes)) {
      if (data.trim() === DONE) return answer.whole()
      const wait = answer.take(data)
      if (wait !== undefined) await wait
    }
  }
  if (!answer.isEnded) throw new Fault('the beginning of an answer, and then nothing')
  return answer.whole()
}

/** The body in the pieces in which it comes. */
export async function* chunksOf(response: IncomingMessage, stallMs: number): AsyncGenerator<Uint8Array> {
  const stalled = (): void => void response.destroy(new StallError(stallMs))
  // Whoever leaves before the end lets the rest be read off, or destroys it.
  const chunks = response.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>
  try {
    for (;;) {
      const timer = setTimeout(stalled, stallMs)
      const { done, value } = await chunks.next().finally(() => clearTimeout(timer))
      if (done) return
      yield value
    }
  } finally {
    await chunks.return?.()
  }
}

/** A body of JSON as text, of bounded length. @throws Fault */
export async function documentIn(
  chunks: AsyncIterable<Uint8Array>,
  most: number = MOST_DOCUMENT,
): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of chunks) {
    parts.push(part)
    size += part.length
    if (size > most) throw new Fault(`a document of more than ${most} bytes`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts))
  } catch {
    throw new Fault('a document that is no UTF-8')
  }
}

class AnswerReader {
  readonly #kind: CallKind
  readonly #listener: AnswerListener
  #id = ''
  #finish: FinishReason | undefined
  #usage: Usage | undefined
  /** The first half of a character that JSON has in two. */
  #half = ''

  constructor(kind: CallKind, listener: AnswerListener) {
    this.#kind = kind
    this.#listener = listener
  }

  get isEnded(): boolean {
    return this.#finish !== undefined
  }

  /** Waits where the listener is slow. @throws Fault, ToldError */
  take(json: string): SinkWait {
    const chunk = readChunk(json, this.#kind)
    this.#check(chunk)
    this.#finish ??= chunk.finish
    this.#usage = chunk.usage ?? this.#usage
    const waits: SinkWait[] = []
    if (chunk.reasoning !== '') waits.push(this.#listener.reasoning(chunk.reasoning))
    const text = this.#wholeCharacters(chunk.text)
    if (text !== '' || chunk.logprobs.length > 0) waits.push(this.#listener.piece(text, chunk.logprobs))
    return waits.some((wait) => wait !== undefined) ? Promise.all(waits).then(() => undefined) : undefined
  }

  /** @throws Fault for an answer that has not ended, or ends within a character */
  whole(): WholeAnswer {
    if (this.#finish === undefined) throw new Fault('an answer without a finish_reason')
    if (this.#half !== '') throw new Fault('half of a character at the end')
    return { finish: this.#finish, usage: this.#usage }
  }

  #check({ id, text, reasoning }: Chunk): void {
    if (this.#id !== '' && id !== '' && id !== this.#id)
      throw new Fault(`chunks of two answers, ${quote(this.#id, 60)} and ${quote(id, 60)}`)
    this.#id ||= id
    if (this.isEnded && (text !== '' || reasoning !== '')) throw new Fault('text after the end of the answer')
  }

  #wholeCharacters(text: string): string {
    if (text === '') return text
    const all = this.#half + text
    this.#half = /[\ud800-\udbff]$/.exec(all)?.[0] ?? ''
    return all.slice(0, all.length - this.#half.length)
  }
}
