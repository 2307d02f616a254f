/** A batch: records in, answers out, so many at once. */
import { createHash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Engine } from '../engine/engine.ts'
import type { GenerateRequest } from '../engine/request.ts'
import { SpoutError } from '../errors.ts'
import type { Answer } from '../openai/answer.ts'
import { RequestError } from '../openai/request-error.ts'
import { type AnswerIo, answerOf } from './answer.ts'
import { AnswerMemory } from './answer-memory.ts'
import type { Outcome } from './outcome.ts'
import { OutputOrder, type Piece, type PieceSink } from './output-order.ts'
import type { InputRecord } from './records.ts'
import { isIn, type Shard } from './shard.ts'
import type { Task, TaskReader } from './tasks.ts'
import { runWindow } from './window.ts'

/** Where pieces go: a stream, or a file that knows what a run before has done. */
export interface BatchOutput extends PieceSink {
  /** Errors among what is done. */
  readonly failed?: number
  readonly next?: number
  readonly ahead?: Iterable<Piece>
  isDone?(place: number): boolean
  /** @throws SpoutError `usage` when the input is not that of the run before. */
  checkInput?(place: number, mark: string): void
}

interface BatchParts {
  readonly records: AsyncIterable<InputRecord>
  readonly reader: TaskReader
  readonly shard: Shard
  /** Turns what became of a record into its output. */
  readonly write: (outcome: Outcome) => string
  readonly output: BatchOutput
  readonly ordered: boolean
  /** Requests given to the engine at once. */
  readonly parallel: number
  /** More lines with errors end the run. */
  readonly maxErrors: number | undefined
  /** Called once, when the first request is there. */
  readonly openEngine: () => Promise<Pick<Engine, 'generate'>>
  readonly io: AnswerIo
  readonly observer: BatchObserver
}

/** Told of everything as it happens. */
export interface BatchObserver {
  /** A record that a run before has answered. */
  kept(record: InputRecord): void
  done(outcome: Outcome): void
}

interface BatchEnd {
  /** Of this shard. */
  readonly records: number
  /** Of this shard's input. */
  readonly mark: string
}

/** Records between the oldest that is not done and the youngest under way, for each that may run at once. */
const LAG = 8
/** It is no line's fault any more when so many in a row could not be computed. */
const MOST_FAILURES = 32
/** Text that waits, before the answers and after: as many characters. */
const MOST_WAITING = 32 << 20

/**
 * Answers every record of the shard.
 * @returns `undefined` when the signal ended it: what was done is written
 * @throws SpoutError of what would meet every line: what was done before is written.
 */
export async function runBatch(parts: BatchParts): Promise<BatchEnd | undefined> {
  const run = new BatchRun(parts)
  await run.run()
  return parts.io.signal.aborted ? undefined : run.end
}

interface Marked {
  readonly task: Task
  readonly mark: string
}

class BatchRun {
  readonly #parts: BatchParts
  readonly #order: OutputOrder
  readonly #memory = new AnswerMemory()
  readonly #stop = new AbortController()
  readonly #io: AnswerIo
  #engine: Promise<Pick<Engine, 'generate'>> | undefined
  /** Characters of records under way. */
  #asked = 0
  #errors: number
  /** Answers that failed, one after another. */
  #failures = 0
  #place = -1
  #mark = ''

  constructor(parts: BatchParts) {
    this.#parts = parts
    const { output, ordered, io } = parts
    this.#errors = output.failed ?? 0
    this.#order = new OutputOrder(output, { ordered, next: output.next ?? 0, waiting: output.ahead ?? [] })
    const signal = AbortSignal.any([io.signal, this.#stop.signal])
    // Each request under way listens: more than ten are no leak.
    setMaxListeners(0, signal)
    this.#io = { ...io, signal }
  }

  get end(): BatchEnd {
    return { records: this.#place + 1, mark: this.#mark }
  }

  async run(): Promise<void> {
    const { parallel } = this.#parts
    await this.#order.start()
    await runWindow(
      this.#tasks(),
      { parallel, lag: LAG * parallel },
      {
        run: (marked, place) => this.#run(marked, place),
        isFull: () => this.#asked + this.#order.waitingChars > MOST_WAITING,
      },
    )
  }

  async *#tasks(): AsyncGenerator<readonly [number, Marked], void, void> {
    const { records, reader, shard, output, observer } = this.#parts
    for await (const record of records) {
      if (this.#io.signal.aborted) return
      if (!isIn(shard, record.index)) {
        reader.pass(record)
        continue
      }
      const place = ++this.#place
      this.#mark = nextMark(this.#mark, record)
      output.checkInput?.(place, this.#mark)
      if (output.isDone?.(place)) {
        reader.pass(record)
        observer.kept(record)
      } else {
        yield [place, { task: reader.read(record), mark: this.#mark }]
      }
    }
  }

  async #run({ task, mark }: Marked, place: number): Promise<void> {
    const size = task.record.raw.length
    this.#asked += size
    try {
      const outcome = await this.#outcomeOf(task)
      if (outcome === undefined) return
      const failed = outcome.error !== undefined
      const text = this.#parts.write(outcome)
      await this.#order.take({ place, mark, text, failed })
      this.#parts.observer.done(outcome)
      this.#count(outcome)
    } catch (cause) {
      this.#stop.abort()
      throw cause
    } finally {
      this.#asked -= size
    }
  }

  async #outcomeOf(task: Task): Promise<Outcome | undefined> {
    if (task.error !== undefined) return { task, error: task.error }
    try {
      const request = task.request!
      const { answer, isRepeat } = this.#memory.answer(request, () => this.#compute(request))
      const known = await answer
      return known && { task, answer: known, isRepeat }
    } catch (cause) {
      if (cause instanceof RequestError) return { task, error: cause }
      throw cause
    }
  }

  async #compute(request: GenerateRequest): Promise<Answer | undefined> {
    this.#engine ??= this.#parts.openEngine()
    return answerOf(await this.#engine, request, this.#io)
  }

  #count({ task, error }: Outcome): void {
    if (error?.code !== 'failed') this.#failures = 0
    if (error === undefined) return
    const last = `line ${task.record.line}: ${error.message}`
    if (error.code === 'failed' && ++this.#failures === MOST_FAILURES) {
      throw new SpoutError(
        'failed',
        `batch: ${MOST_FAILURES} answers failed one after another; the last: ${last}`,
      )
    }
    const { maxErrors } = this.#parts
    this.#errors++
    if (maxErrors === undefined || this.#errors <= maxErrors) return
    throw new SpoutError('failed', `batch: more than ${maxErrors} lines have errors; the last: ${last}`)
  }
}

/** What an input is, up to and with a record: a chain, so that one mark stands for all before it. */
function nextMark(mark: string, { raw }: InputRecord): string {
  return createHash('sha256').update(mark).update('\n').update(raw).digest('base64url').slice(0, 16)
}

/** What a whole input is, read for that alone. */
export async function markOf(records: AsyncIterable<InputRecord>, shard: Shard): Promise<BatchEnd> {
  const end = { records: 0, mark: '' }
  for await (const record of records) {
    if (!isIn(shard, record.index)) continue
    end.records++
    end.mark = nextMark(end.mark, record)
  }
  return end
}
