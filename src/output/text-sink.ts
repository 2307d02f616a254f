/** The answer as text: pieces straight to the output, with control characters shown on a terminal. */

import { escapeStream } from '../system/text-display.ts'
import type { AnswerWriter } from './answer-writer.ts'
import type { Output } from './stdout.ts'

/** Where reasoning goes while the answer goes to the output. */
export interface ReasoningWriter {
  write(text: string): Promise<void> | undefined
  /** The reasoning is over, for now: the answer follows. */
  end(): void
}

interface TextSinkOptions {
  readonly output: Output
  readonly terminal: boolean
  /** End the text with a newline if it has none. */
  readonly newline: boolean
  /** Reasoning goes there; `only`: it takes the place of the answer. */
  readonly reasoning: ReasoningWriter | 'only'
}

export function createTextSink({ output, terminal, newline, reasoning }: TextSinkOptions): AnswerWriter {
  let last = ''
  const write = (text: string): Promise<void> | undefined => {
    if (text === '') return undefined
    last = text
    return output.write(terminal ? escapeStream(text) : text)
  }
  const endLine = async (wanted: boolean): Promise<void> => {
    if (wanted && last !== '' && !last.endsWith('\n')) await output.write('\n')
    await output.flush()
  }
  const answer =
    reasoning === 'only'
      ? () => undefined
      : (text: string): Promise<void> | undefined => {
          if (last === '' && text !== '') reasoning.end()
          return write(text)
        }
  return {
    sink: {
      token: (_id, text) => answer(text),
      lastPiece: answer,
      reasoning(text) {
        return reasoning === 'only' ? write(text) : reasoning.write(text)
      },
    },
    async finish() {
      if (reasoning !== 'only') reasoning.end()
      await endLine(newline)
    },
    async fail() {
      if (reasoning !== 'only') reasoning.end()
      await endLine(terminal)
    },
  }
}
