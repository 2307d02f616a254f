/**
 * The engine of a worker, as a run sees it. Whatever becomes of the worker, the run has its answer: what it could not end is written
 * by an engine of the run's own, which is opened only then.
 */
import type {
  Conversation,
  Engine,
  EngineModel,
  EngineResult,
  EngineWork,
  RequestIo,
} from '../engine/engine.ts'
import { requestToJson } from '../engine/plain-request.ts'
import type { GenerateRequest } from '../engine/request.ts'
import type {
  ChoiceRequest,
  ChoiceResult,
  ScoreIo,
  ScoreRequest,
  ScoreResult,
} from '../engine/score-request.ts'
import { afterDispose, SpoutError } from '../errors.ts'
import type { WorkerCall, WorkerLost } from './call.ts'
import {
  type About,
  type Asked,
  errorFromJson,
  factsFromJson,
  type Ready,
  resultFromJson,
  type Said,
} from './protocol.ts'
import { Replay } from './replay.ts'

interface WorkerEngineOptions {
  /** The model, by the name the user gave it. */
  readonly name?: string | undefined
  /** Opens an engine in this process. */
  readonly openOwn: () => Promise<Engine>
  /** Told why the worker is not used any more. */
  readonly onLost?: ((why: WorkerLost) => void) | undefined
  /** A worker that is at work and silent for so long stands still, in ms. */
  readonly quietMs?: number | undefined
}

/** A worker says every second that it lives. */
const QUIET_MS = 15_000
/** What these say, an engine of one's own may find otherwise. */
const OF_THE_WORKER: ReadonlySet<string> = new Set(['os', 'internal'])
/** The worker cannot: an engine of one's own is asked. */
const UNANSWERED = Symbol('unanswered')
const NO_WORK: EngineWork = { texts: 0, waiting: 0, steps: 0, rows: 0 }

/** Something that was asked. */
interface Pending {
  readonly askedAt: number
  readonly replays: readonly Replay[]
  readonly note: ((text: string) => void) | undefined
  settle(about: Extract<About, { is: 'answers' | 'done' }>): void
  fail(error: unknown): void
}

/** What a worker left on disk. */
interface Handed {
  readonly pages: number
  readonly bytes: number
}

type WithoutId<T> = T extends { readonly id: number } ? Omit<T, 'id'> : never
type Question = WithoutId<Exclude<Asked, { do: 'cancel' }>>

export class WorkerEngine implements Engine {
  readonly #call: WorkerCall
  readonly #options: WorkerEngineOptions
  readonly #model: EngineModel
  readonly #pending = new Map<number, Pending>()
  readonly sharesRuns: boolean
  readonly promises: Engine['promises']
  readonly handOverPrompt?: NonNullable<Engine['handOverPrompt']>
  #own: Promise<Engine> | undefined
  #ownModel: EngineModel | undefined
  #count = 0
  #watch: NodeJS.Timeout | undefined
  #isDisposed = false

  constructor(call: WorkerCall, ready: Ready, options: WorkerEngineOptions) {
    const { model, pid, promises, sharesRuns, keepsPrompts } = ready
    const { runs } = model
    this.#call = call
    this.#options = options
    this.#model = {
      ...model,
      id: options.name ?? model.id,
      runs: runs.device === 'remote' ? runs : { ...runs, worker: pid },
    }
    this.promises = promises
    this.sharesRuns = sharesRuns
    if (keepsPrompts) this.handOverPrompt = (requests, how) => this.#handOver(requests, how)
    call.listen(
      (said) => this.#hear(said),
      (why) => this.#lose(why),
    )
    call.setBusy(false)
  }

  /** Of the engine that answers now. */
  get model(): EngineModel {
    return this.#ownModel ?? this.#model
  }

  get work(): EngineWork {
    return NO_WORK
  }

  async generate(request: GenerateRequest, io: RequestIo): Promise<EngineResult> {
    const asked = { do: 'generate', request: requestToJson(request), reasons: hasReasoning(io) } as const
    const [result] = await this.#answers(asked, [io], async ([replay]) => {
      const seeded = withSeed(request, replay!)
      return [await (await this.#openOwn()).generate(seeded, replay!.io())]
    })
    return result!
  }

  async sample(request: GenerateRequest, ios: readonly RequestIo[]): Promise<EngineResult[]> {
    const asked = {
      do: 'generate',
      samples: ios.length,
      request: requestToJson(request),
      reasons: ios.some(hasReasoning),
    } as const
    return this.#answers(asked, ios, async (replays) => {
      const seeded = withSeed(request, replays[0]!)
      return (await this.#openOwn()).sample(
        seeded,
        replays.map((replay) => replay.io()),
      )
    })
  }

  async choose({ request, empty, ...rest }: ChoiceRequest, io: ScoreIo = {}): Promise<ChoiceResult> {
    const asked = {
      ...({ do: 'choose', ...rest } as const),
      request: requestToJson(request),
      empty: empty && requestToJson(empty),
    }
    const own = async (): Promise<ChoiceResult> =>
      (await this.#openOwn()).choose({ request, empty, ...rest }, io)
    return this.#result(asked, io, own)
  }

  async score(request: ScoreRequest, io: ScoreIo = {}): Promise<ScoreResult> {
    const own = async (): Promise<ScoreResult> => (await this.#openOwn()).score(request, io)
    return this.#result({ do: 'score', ...request }, io, own)
  }

  /** A worker knows no conversations. */
  openConversation(): Conversation {
    throw new SpoutError('internal', 'worker: it has no conversations')
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true
    this.#call.hangUp()
    await (await this.#own)?.dispose()
  }

  async #handOver(
    requests: readonly GenerateRequest[],
    how: { readonly msPerToken: number; readonly leastMs?: number },
  ) {
    const asked = { do: 'keep', requests: requests.map(requestToJson), ...how } as const
    const handed = await this.#result<Handed | null>(asked, {}, async () => null)
    return handed ? { ...handed, descriptor: undefined } : undefined
  }

  async #answers(
    asked: Question,
    ios: readonly RequestIo[],
    own: (replays: readonly Replay[]) => Promise<EngineResult[]>,
  ): Promise<EngineResult[]> {
    const replays = ios.map((io) => new Replay(io))
    const [{ signal, note } = {}] = ios as readonly Partial<RequestIo>[]
    const askedAt = performance.now()
    const about = await this.#ask(asked, { signal, note, replays, askedAt })
    if (about === undefined) return own(replays)
    if (about.is !== 'answers') throw new SpoutError('internal', 'worker: no answers')
    return about.results.map((result) => resultFromJson(result, askedAt))
  }

  async #result<T>(asked: Question, { signal }: ScoreIo, own: () => Promise<T>): Promise<T> {
    const about = await this.#ask(asked, { signal, note: undefined, replays: [], askedAt: 0 })
    if (about === undefined) {
      signal?.throwIfAborted()
      return own()
    }
    return (about as unknown as { readonly result: T }).result
  }

  /** What the worker says in the end; `undefined` where it cannot. @throws what was wrong with the request, or with who takes it */
  async #ask(
    asked: Question,
    { signal, ...rest }: Omit<Pending, 'settle' | 'fail'> & { readonly signal?: AbortSignal | undefined },
  ): Promise<Extract<About, { is: 'answers' | 'done' }> | undefined> {
    if (this.#isDisposed) throw afterDispose('engine')
    if (this.#call.lost !== undefined) return undefined
    const id = ++this.#count
    const cancel = (): void => this.#call.say({ do: 'cancel', id })
    try {
      return await new Promise((settle, fail) => {
        this.#pending.set(id, { ...rest, settle, fail })
        this.#keepWatch()
        this.#call.say({ ...asked, id } as Asked)
        if (signal?.aborted) cancel()
        signal?.addEventListener('abort', cancel, { once: true })
      })
    } catch (error) {
      if (error === UNANSWERED) return undefined
      if (error instanceof SpoutError && rest.replays.length === 0) signal?.throwIfAborted()
      throw error
    } finally {
      this.#pending.delete(id)
      signal?.removeEventListener('abort', cancel)
      if (this.#pending.size === 0) this.#endWatch()
    }
  }

  #hear(said: Said): Promise<void> | undefined | void {
    if (!('id' in said)) return undefined
    const pending = this.#pending.get(said.id)
    if (pending === undefined) return undefined
    try {
      const wait = hand(said, pending)
      return wait?.catch((error) => this.#giveUp(said.id, error))
    } catch (error) {
      this.#giveUp(said.id, error)
      return undefined
    }
  }

  /** Whoever takes the answer does not want it any more. */
  #giveUp(id: number, error: unknown): void {
    this.#call.say({ do: 'cancel', id })
    this.#pending.get(id)?.fail(error)
  }

  #lose(why: WorkerLost): void {
    for (const { fail } of this.#pending.values()) fail(UNANSWERED)
    if (!this.#isDisposed) this.#options.onLost?.(why)
  }

  #openOwn(): Promise<Engine> {
    if (this.#isDisposed) throw afterDispose('engine')
    this.#own ??= this.#options.openOwn().then((engine) => {
      this.#ownModel = engine.model
      return engine
    })
    return this.#own
  }

  /** Something is under way: silence means that the worker stands still. */
  #keepWatch(): void {
    if (this.#watch !== undefined) return
    const { quietMs = QUIET_MS } = this.#options
    this.#call.heardAt = performance.now()
    this.#call.setBusy(true)
    this.#watch = setInterval(() => {
      const isQuiet = performance.now() - this.#call.heardAt > quietMs
      if (isQuiet && !this.#call.isHeld) this.#call.hangUp('it stands still')
    }, quietMs / 4)
  }

  #endWatch(): void {
    clearInterval(this.#watch)
    this.#watch = undefined
    this.#call.setBusy(false)
  }
}

function hand(said: About, { replays, note, settle, fail }: Pending): Promise<void> | undefined | void {
  switch (said.is) {
    case 'start':
      return replays[said.of]!.started(factsFromJson(said.facts))
    case 'prefill':
      return replays[said.of]!.prefilled(said.done, said.total)
    case 'token':
      return replays[said.of]!.token(said.token, said.text, said.logprobs)
    case 'last':
    case 'reasoning':
      return replays[said.of]!.piece(said.is, said.text)
    case 'note':
      return note?.(said.text)
    case 'failed':
      return fail(OF_THE_WORKER.has(said.code) ? UNANSWERED : errorFromJson(said))
    default:
      return settle(said)
  }
}

function hasReasoning({ sink }: RequestIo): boolean {
  return sink.reasoning !== undefined
}

/** The coin of what has begun. */
function withSeed(request: GenerateRequest, { facts }: Replay): GenerateRequest {
  if (facts === undefined) return request
  return { ...request, sampling: { ...request.sampling, seed: facts.seed } }
}
