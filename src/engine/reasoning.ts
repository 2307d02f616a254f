/** Parts what a chat model thinks aloud from its answer, on the way to a sink that wants them apart. */

import { StopStrings } from '../generation/stop-strings.ts'
import { openedBlock, type ThinkMarkers } from '../generation/think-markers.ts'
import { type Segment, ThinkSplitter } from '../generation/think-splitter.ts'
import type { SinkWait } from '../generation/token-sink.ts'
import type { AnswerSink } from './engine.ts'
import type { NamedSink } from './token-names.ts'

export interface SplittingSink extends NamedSink {
  /** A stop text was found in the answer: nothing of what follows is handed over. */
  readonly stopped: boolean
  /** There was reasoning, and nothing of an answer. */
  readonly onlyReasoned: boolean
  /** Hands over what was held back. */
  end(): Promise<void>
}

interface ReasoningOptions {
  /** Those that the model knows. */
  readonly markers: readonly ThinkMarkers[]
  /** The rendered prompt: it may have opened the block. */
  readonly prompt: string
  /** Looked for in the answer only. */
  readonly stopStrings?: readonly string[]
}

export function splitReasoning(
  sink: Required<AnswerSink>,
  { markers, prompt, stopStrings = [] }: ReasoningOptions,
): SplittingSink {
  const splitter = new ThinkSplitter({ markers, opened: openedBlock(prompt, markers) })
  const stops = new StopStrings(stopStrings)
  let reasoned = false
  let answered = false
  const reason = (segments: readonly Segment[]): SinkWait => {
    const text = textOf(segments, 'reasoning')
    reasoned ||= text !== ''
    return text === '' ? undefined : sink.reasoning(text)
  }
  const answer = (text: string): string => {
    const certain = stops.push(text)
    answered ||= certain.trim() !== ''
    return certain
  }
  const rest = (text: string): SinkWait => (text === '' ? undefined : sink.lastPiece(text))
  return {
    get stopped() {
      return stops.matched !== undefined
    },
    get onlyReasoned() {
      return reasoned && !answered
    },
    token(id, text, logprobs) {
      if (splitter.isInAnswer || text === '') return sink.token(id, answer(text), logprobs)
      const segments = splitter.push(text)
      const first = reason(segments)
      return both(first, sink.token(id, answer(textOf(segments, 'answer')), logprobs))
    },
    lastPiece(text) {
      const segments = splitter.push(text)
      const first = reason(segments)
      return both(first, rest(answer(textOf(segments, 'answer'))))
    },
    async end() {
      const segments = splitter.flush()
      await reason(segments)
      const text = answer(textOf(segments, 'answer')) + stops.flush()
      answered ||= text.trim() !== ''
      await rest(text)
    },
  }
}

function textOf(segments: readonly Segment[], channel: Segment['channel']): string {
  return segments
    .filter((segment) => segment.channel === channel)
    .map((segment) => segment.text)
    .join('')
}

function both(first: SinkWait, second: SinkWait): SinkWait {
  return first === undefined ? second : Promise.resolve(first).then(() => second)
}
