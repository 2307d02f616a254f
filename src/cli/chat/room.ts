/** Room in the context for a message and its answer: where it is full, the oldest turns are left out of the prompt. */

/** An answer gets at least this part of the context, up to so many tokens. */
const ANSWER_SHARE = 1 / 8
const ANSWER_TOKENS = 512
/** Once turns are left out, this part becomes free, for else every turn would leave out one more and read all anew. */
const FREED_SHARE = 1 / 4

interface RoomInput {
  readonly contextLength: number
  /** Most tokens of an answer; 0 or none: as many as there is room for. */
  readonly maxTokens: number | undefined
  /** How many turns there are. */
  readonly turns: number
  /** How many of the oldest are left out already. */
  readonly left: number
  /** Tokens of the prompt when so many of the oldest turns are left out. */
  readonly tokens: (left: number) => number
}

/** How many of the oldest turns are to be left out; `undefined` when the message does not fit even alone. */
export function leaveOut({ contextLength, maxTokens, turns, left, tokens }: RoomInput): number | undefined {
  const wanted = Math.min(maxTokens || ANSWER_TOKENS, ANSWER_TOKENS, Math.floor(contextLength * ANSWER_SHARE))
  const answer = Math.max(1, wanted)
  if (tokens(left) + answer <= contextLength) return left
  if (tokens(turns) >= contextLength) return undefined
  const target = contextLength - Math.max(answer, Math.floor(contextLength * FREED_SHARE))
  let [few, many] = [left, turns]
  while (few < many) {
    const middle = (few + many) >> 1
    if (tokens(middle) <= target) many = middle
    else few = middle + 1
  }
  return few
}
