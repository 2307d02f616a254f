/**
 * `await using engine = await openEngine()`: engines and conversations that end with the block they are declared in. Node has the
 * symbols from 20.5 on; where it has none nothing is added, and `dispose` is called as ever.
 */
import type { Conversation, Engine } from '../engine/engine.ts'

/** An engine of whoever opened it. */
export interface OpenedEngine extends Engine, AsyncDisposable {
  openConversation(): OpenedConversation
}

/** A conversation of whoever opened it. */
export interface OpenedConversation extends Conversation, Disposable {}

/** The same engine. */
export function disposableEngine(engine: Engine): OpenedEngine {
  const opened: Engine = {
    model: engine.model,
    promises: engine.promises,
    sharesRuns: engine.sharesRuns,
    get work() {
      return engine.work
    },
    generate: (request, io) => engine.generate(request, io),
    sample: (request, ios) => engine.sample(request, ios),
    choose: (request, io) => engine.choose(request, io),
    score: (request, io) => engine.score(request, io),
    ...(engine.handOverPrompt && { handOverPrompt: engine.handOverPrompt }),
    openConversation() {
      const conversation = engine.openConversation()
      addMethod(conversation, Symbol.dispose, () => conversation.dispose())
      return conversation
    },
    dispose: () => engine.dispose(),
  }
  addMethod(opened, Symbol.asyncDispose, () => opened.dispose())
  return opened as OpenedEngine
}

/** @param symbol `undefined` before Node 20.5, whatever its type says */
function addMethod(owner: object, symbol: symbol | undefined, value: () => unknown): void {
  if (symbol !== undefined) Object.defineProperty(owner, symbol, { value })
}
