/**
 * The engine in this process. A single request is a conversation of one. Requests that come at once share runs where that
 * changes no answer, and are otherwise written one after another.
 */
import type { Backend } from '../backend/backend.ts'
import { afterDispose } from '../errors.ts'
import { type ConversationParts, LocalConversation, schedulerOf } from './conversation.ts'
import type { Engine, EngineModel } from './engine.ts'
import { structuresOf } from './open-structure.ts'

interface LocalEngineParts extends Omit<ConversationParts, 'scheduler'> {
  readonly model: EngineModel
  /** Owned: disposed with the engine. */
  readonly backend: Backend
}

export function createLocalEngine({ model, ...own }: LocalEngineParts): Engine {
  const scheduler = schedulerOf(own)
  const structures = own.structures ?? structuresOf(own.backend.tokenizer)
  const parts = { ...own, scheduler, structures }
  return {
    model,
    openConversation: () => new LocalConversation(parts, { goesOn: true }),
    async generate(request, io) {
      const conversation = new LocalConversation(parts)
      try {
        return await conversation.generate(request, io)
      } finally {
        conversation.dispose()
      }
    },
    async dispose() {
      scheduler.close(afterDispose('engine'))
      // The backend waits for the run it is in. Nobody waits for the sink: it may be the one that disposes.
      await parts.backend.dispose()
    },
  }
}
