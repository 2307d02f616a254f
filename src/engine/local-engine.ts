/** The engine in this process. A single request is a conversation of one. */
import type { Backend } from '../backend/backend.ts'
import { type ConversationParts, LocalConversation } from './conversation.ts'
import type { Engine, EngineModel } from './engine.ts'

export interface LocalEngineParts extends ConversationParts {
  readonly model: EngineModel
  /** Owned: disposed with the engine. */
  readonly backend: Backend
}

export function createLocalEngine(parts: LocalEngineParts): Engine {
  return {
    model: parts.model,
    openConversation: () => new LocalConversation(parts, { goesOn: true }),
    async generate(request, door) {
      const conversation = new LocalConversation(parts)
      try {
        return await conversation.generate(request, door)
      } finally {
        conversation.dispose()
      }
    },
    dispose: () => parts.backend.dispose(),
  }
}
