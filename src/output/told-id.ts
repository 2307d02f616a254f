import { type NamedLogprobs, NO_ID } from '../engine/token-names.ts'

/** An id as a JSON document has it: `null` where nobody tells it. */
export function toldId(id: number): number | null {
  return id === NO_ID ? null : id
}

/** Log-probabilities as a JSON document has them. */
export function toldLogprobs(logprobs: NamedLogprobs) {
  return { ...logprobs, top: logprobs.top.map((each) => ({ ...each, id: toldId(each.id) })) }
}
