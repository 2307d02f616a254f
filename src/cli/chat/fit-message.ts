/** A message in the context: where that is full, the oldest turns of the conversation are no longer told to the model. */
import type { EncodedPrompt } from '../../engine/encode-prompt.ts'
import type { GenerateRequest } from '../../engine/request.ts'
import { SpoutError } from '../../errors.ts'
import { leaveOut } from './room.ts'
import { type Transcript, turnsText } from './transcript.ts'

interface Made {
  readonly request: GenerateRequest
  readonly encoded: EncodedPrompt
}

export interface Fitted {
  readonly request: GenerateRequest
  readonly encoded: EncodedPrompt | undefined
  /** What there is to say about it. */
  readonly note: string | undefined
}

interface FitInput {
  /** Its `left` becomes what was found. */
  readonly transcript: Transcript
  readonly contextLength: number
  readonly maxTokens: number | undefined
  /** The request without so many of the oldest turns. */
  readonly make: (left: number) => Made
}

/** @throws SpoutError `data` for a message that does not fit even alone. */
export function fitMessage({ transcript, contextLength, maxTokens, make: makeAnew }: FitInput): Fitted {
  const known = new Map<number, Made>()
  const make = (left: number): Made => {
    const made = known.get(left) ?? makeAnew(left)
    known.set(left, made)
    return made
  }
  const turns = transcript.turns.length
  const before = transcript.left
  const tokens = (left: number): number => make(left).encoded.ids.length
  const left = leaveOut({ contextLength, maxTokens, turns, left: before, tokens })
  if (left === undefined) throw tooLong(tokens(turns), contextLength, transcript.system !== undefined)
  transcript.left = left
  const more = turnsText(left - before)
  const note = `the context of ${contextLength} tokens is full: the oldest ${more} left out from here on`
  return { ...make(left), note: left > before ? note : undefined }
}

function tooLong(tokens: number, contextLength: number, hasSystem: boolean): SpoutError {
  const what = hasSystem ? `${tokens} tokens with the system message` : `${tokens} tokens`
  return new SpoutError('data', `message: it is ${what}, even alone; the context holds ${contextLength}`, {
    hint: hasSystem ? 'shorten it, or /system - takes the system message away' : 'shorten it',
  })
}
