/** The engine in this process. A single request is a conversation of one; requests that come at once take turns. */
import type { Backend } from '../backend/backend.ts'
import { type ConversationParts, LocalConversation } from './conversation.ts'
import type { Engine, EngineModel } from './engine.ts'
import { Turns } from './turns.ts'

interface LocalEngineParts extends Omit<ConversationParts, 'turns'> {
  readonly model: EngineModel
  /** Owned: disposed with the engine. */
  readonly backend: Backend
}

export function createLocalEngine({ model, ...own }: LocalEngineParts): Engine {
  const turns = new Turns()
  const parts = { ...own, turns }
  return {
    model,
    openConversation: () => new LocalConversation(parts, { goesOn: true }),
    async generate(request, door) {
      const conversation = new LocalConversation(parts)
      try {
        return await conversation.generate(request, door)
      } finally {
        conversation.dispose()
      }
    },
    async dispose() {
      turns.close()
      // The backend waits for the run it is in. Nobody waits for the sink: it may be the one that disposes.
      await parts.backend.dispose()
    },
  }
}
