/**
 * The engine in this process. A single request is a conversation of one. Requests that come at once share runs where that
 * changes no answer, and are otherwise written one after another.
 */
import type { Backend } from '../backend/backend.ts'
import { StepCosts } from '../drafting/step-costs.ts'
import { afterDispose } from '../errors.ts'
import type { Structures } from '../grammar/structures.ts'
import type { HandOverOptions } from '../prefix-cache/hand-over.ts'
import type { PageStore } from '../prefix-cache/page-store.ts'
import { PrefixTree } from '../prefix-cache/prefix-tree.ts'
import { type ConversationParts, LocalConversation, schedulerOf } from './conversation.ts'
import { commonIds } from './encode-prompt.ts'
import type { Engine, EngineModel, EnginePromises, RequestIo } from './engine.ts'
import { LocalScoring } from './local-scoring.ts'
import type { GenerateRequest } from './request.ts'
import { sample } from './sample.ts'
import { SharedCaches } from './shared-caches.ts'
import { StoredPrompts } from './stored-prompts.ts'

interface LocalEngineParts extends Omit<ConversationParts, 'scheduler'> {
  readonly model: EngineModel
  /** Owned: disposed with the engine. */
  readonly backend: Backend
  /** For keys and values, where they are in pages. Default: no limit to those of texts, and none that nobody uses. */
  readonly kvBytes?: number | undefined
  /** Of those, for texts that have ended. Default: half. */
  readonly keptBytes?: number | undefined
  /** Texts that begin alike share pages, where that changes no bit. Default true. */
  readonly promptCache?: boolean | undefined
  /** What a step may take, in ms, of prompts while other texts are decoded. Default: no limit. */
  readonly stepMs?: number | undefined
  /** Opens what other processes have left on disk, and what this one leaves is handed over to. Default: nothing. */
  readonly openPages?: (() => Promise<PageStore | undefined>) | undefined
}

export function createLocalEngine({
  model,
  kvBytes,
  keptBytes,
  promptCache = true,
  openPages,
  ...own
}: LocalEngineParts): Engine {
  const { tree, caches, stored } = shareCaches(own.backend, { kvBytes, keptBytes, promptCache, openPages })
  let later: Promise<Structures> | undefined
  const structures =
    own.structures ??
    (() => {
      later ??= import('./open-structure.ts').then((room) => room.structuresOf(own.backend.tokenizer))
      return later
    })
  const costs = new StepCosts()
  const parts = {
    ...own,
    structures,
    caches,
    stored,
    costs,
    scheduler: schedulerOf({ ...own, costs }, caches),
  }
  const { scheduler } = parts
  const scoring = new LocalScoring(parts)
  const partsOf = ({ owner }: Partial<RequestIo> = {}): typeof parts =>
    // What lies on disk is this user's: another owner's texts are neither found there nor told of.
    owner === undefined ? parts : { ...parts, caches: caches?.ofOwner(owner), stored: undefined }
  return {
    model,
    promises: LOCAL,
    sharesRuns: scheduler.sharesRuns,
    get work() {
      return scheduler.work
    },
    ...(stored && {
      handOverPrompt: (requests: readonly GenerateRequest[], options: HandOverOptions) =>
        stored.handOver(commonIds(requests, own.backend.tokenizer, own.template), options),
    }),
    openConversation: () => new LocalConversation(parts, { goesOn: true }),
    async generate(request, io) {
      const conversation = new LocalConversation(partsOf(io))
      try {
        return await conversation.generate(request, io)
      } finally {
        conversation.dispose()
      }
    },
    sample: (request, ios) => sample(partsOf(ios[0]), request, ios),
    choose: (request, io) => scoring.choose(request, io),
    score: (request, io) => scoring.score(request, io),
    async dispose() {
      scheduler.close(afterDispose('engine'))
      scoring.dispose()
      tree?.close()
      // The backend waits for the run it is in. Nobody waits for the sink: it may be the one that disposes.
      await Promise.all([parts.backend.dispose(), parts.draftModel?.dispose()])
    },
  }
}

/** Texts share what they begin with where a page has the same bits whoever computed it. */
function shareCaches(
  { runner }: Backend,
  {
    kvBytes = 0,
    keptBytes = Number.POSITIVE_INFINITY,
    promptCache,
    openPages: open,
  }: Pick<LocalEngineParts, 'kvBytes' | 'keptBytes' | 'promptCache' | 'openPages'>,
): { tree?: PrefixTree; caches?: SharedCaches; stored?: StoredPrompts } {
  if (runner === undefined || !runner.pool.isPaged) return {}
  const { pool, numerics } = runner
  const pages = Math.floor(kvBytes / pool.pageBytes)
  if (kvBytes > 0) pool.limitTo(pages)
  if (!numerics.exactRows || !promptCache) return {}
  const most = Math.min(Math.floor(pages * UNUSED), Math.floor(keptBytes / pool.pageBytes))
  const tree = new PrefixTree({ most })
  const caches = new SharedCaches(pool, tree)
  if (open === undefined) return { tree, caches }
  const reclaim = (pages: number): void => caches.reclaim(pages)
  return { tree, caches, stored: new StoredPrompts({ pool, tree, reclaim, open }) }
}

/** A graphics card rounds otherwise than a processor; it gives the same bits again all the same. */
const LOCAL: EnginePromises = { bits: true, seeds: true, tokenIds: true, logprobs: 100, structure: 'any' }

/** How much of the memory for keys and values may be of texts that have ended. */
const UNUSED = 0.5
