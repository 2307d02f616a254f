/** What there is to say about how an answer ended. */
import type { Engine, EngineResult } from '../engine/engine.ts'
import type { StructureRequest } from '../engine/structure-request.ts'
import { SpoutError } from '../errors.ts'
import { quote } from '../system/text-display.ts'
import type { ThinkMode } from './flags.ts'

/** A text that a limit nobody asked for has cut is said to be cut. */
export function cutNote({ finishReason, lengthLimit, maxTokens }: EngineResult): string | undefined {
  if (finishReason === 'context') return 'stopped: the context is full'
  if (finishReason === 'length' && lengthLimit === 'engine')
    return "stopped at a limit of the server's own, or at the end of its context; -n asks for more"
  if (finishReason !== 'length' || lengthLimit !== 'default') return undefined
  return `stopped at ${maxTokens} tokens; -n 0 goes on to the end`
}

/** True when an answer was wanted, and there is only what came before it. */
export function lacksAnswer({ finishReason }: EngineResult, think: ThinkMode | undefined): boolean {
  return finishReason === 'reasoning' && think !== 'only'
}

/** True of an answer that does not satisfy its structure: a limit, or the time, came first. */
export function isIncomplete({ structure }: EngineResult): boolean {
  return structure !== undefined && !structure.isComplete
}

/** Whether a whole answer satisfies what could only be checked, if there is such. */
export async function isChecked(structure: StructureRequest | undefined, text: string): Promise<boolean> {
  if (structure?.check === undefined) return true
  const { satisfies } = await import('../grammar/check-text.ts')
  return satisfies({ kind: 'schema', schema: structure.check }, text)
}

/** How a structured answer ended short of what it was to be; `undefined` where it is whole. */
export function structureEnd(
  result: EngineResult,
  engine: Engine,
  { tail, isChecked }: { readonly tail: string; readonly isChecked: boolean },
): SpoutError | undefined {
  const { structure, finishReason, maxTokens } = result
  if (structure === undefined || finishReason === 'aborted') return undefined
  if (!structure.isComplete) {
    const last = tail === '' ? '' : `; it ends ${quote(tail)}`
    const more = structure.needed === undefined ? '' : `; it needs ${structure.needed} more at least`
    return new SpoutError(
      'incomplete',
      `structure: not complete: ${whyShort(result, engine)}${more}${last}`,
      {
        hint: 'a larger -n, lengths in the schema (maxItems, maxLength), or --on-limit close',
      },
    )
  }
  if (!isChecked)
    return new SpoutError('invalid', 'structure: the answer does not satisfy what could not be enforced', {
      hint: 'another --seed, or a schema without it',
    })
  if (!structure.wasClosed && finishReason !== 'length' && finishReason !== 'context') return undefined
  return new SpoutError(
    'incomplete',
    `structure: closed at the limit${maxTokens > 0 ? ` of ${maxTokens} tokens` : ''}: the model may have meant more`,
    { hint: 'a larger -n' },
  )
}

function whyShort(result: EngineResult, engine: Engine): string {
  const { finishReason, maxTokens } = result
  if (finishReason === 'reasoning') return reasonedOnly(result, engine)
  if (finishReason === 'length') return `the limit of ${maxTokens} tokens came first`
  return finishReason === 'context' ? 'the context is full' : 'the model ended before it'
}

/** Why there is no answer, after reasoning. */
function reasonedOnly({ completionTokens, maxTokens, promptTokens }: EngineResult, engine: Engine): string {
  if (maxTokens > 0 && completionTokens >= maxTokens)
    return `the limit of ${maxTokens} tokens fell inside the reasoning`
  const isFull = promptTokens + completionTokens >= engine.model.contextLength
  return isFull ? 'the context was full inside the reasoning' : 'nothing came after the reasoning'
}

/** The same in a conversation, where whatever cut an answer short is told, and that a message stays without one. */
export function turnNote(
  result: EngineResult,
  { engine, text }: { engine: Engine; text: string },
): string | undefined {
  const { finishReason, maxTokens, lengthLimit } = result
  if (finishReason === 'aborted') {
    return text === '' ? 'stopped before an answer; /regenerate asks again' : 'stopped; what was said stays'
  }
  if (finishReason === 'context')
    return 'cut: the context is full; /forget makes room, else the oldest turns are left out'
  if (finishReason === 'length' && lengthLimit === 'asked') return `cut at ${maxTokens} tokens, as -n says`
  if (finishReason === 'reasoning') return `no answer: ${reasonedOnly(result, engine)}; the message stays`
  return text === '' ? 'the answer is empty; the message stays' : cutNote(result)
}

/** An empty text is no success of a run that wanted an answer. */
export function noAnswer(result: EngineResult, engine: Engine): SpoutError {
  return new SpoutError('failed', `no answer: ${reasonedOnly(result, engine)}`, {
    hint: 'a larger -n, or --think only for the reasoning itself',
  })
}
