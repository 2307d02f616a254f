/** Parts what a chat model thinks aloud from its answer, on the way to a sink that wants them apart. */

import { openedBlock, type ThinkMarkers } from '../generation/think-markers.ts'
import { type Segment, ThinkSplitter } from '../generation/think-splitter.ts'
import type { AnswerSink } from './engine.ts'
import type { NamedSink } from './token-names.ts'

export interface SplittingSink extends NamedSink {
  /** Hands over what was held back. */
  end(): Promise<void>
}

export interface ReasoningOptions {
  /** Those that the model knows. */
  readonly markers: readonly ThinkMarkers[]
  /** The rendered prompt: it may have opened the block. */
  readonly prompt: string
}

export function splitReasoning(
  sink: Required<AnswerSink>,
  { markers, prompt }: ReasoningOptions,
): SplittingSink {
  const splitter = new ThinkSplitter({ markers, opened: openedBlock(prompt, markers) })
  const reason = (segments: readonly Segment[]): Promise<void> | undefined => {
    const text = textOf(segments, 'reasoning')
    return text === '' ? undefined : sink.reasoning(text)
  }
  return {
    token(id, text, logprobs) {
      if (splitter.settled || text === '') return sink.token(id, text, logprobs)
      const segments = splitter.push(text)
      const reasoned = reason(segments)
      return both(reasoned, sink.token(id, textOf(segments, 'answer'), logprobs))
    },
    rest(text) {
      const segments = splitter.push(text)
      const reasoned = reason(segments)
      return both(reasoned, restOf(sink, segments))
    },
    async end() {
      const segments = splitter.flush()
      await reason(segments)
      await restOf(sink, segments)
    },
  }
}

function restOf(sink: NamedSink, segments: readonly Segment[]): Promise<void> | undefined {
  const text = textOf(segments, 'answer')
  return text === '' ? undefined : sink.rest(text)
}

function textOf(segments: readonly Segment[], channel: Segment['channel']): string {
  return segments
    .filter((segment) => segment.channel === channel)
    .map((segment) => segment.text)
    .join('')
}

function both(
  first: Promise<void> | undefined,
  second: Promise<void> | undefined,
): Promise<void> | undefined {
  return first === undefined ? second : first.then(() => second)
}
