/** What a model thinks aloud, on stderr: dim on a terminal, and apart from the answer that follows. */

import type { ReasoningWriter } from '../../output/text-sink.ts'
import { escapeStream } from '../../system/text-display.ts'
import { type Dim, loadDim } from './style.ts'

/** @param shown false: it is thrown away. */
export function openReasoning(shown: boolean, color: string | undefined): ReasoningWriter {
  if (!shown) return { write: () => undefined, end: () => undefined }
  let dim: Dim | undefined
  let last = ''
  const emit = (text: string, style: Dim): void => {
    last = text
    process.stderr.write(style(process.stderr.isTTY ? escapeStream(text) : text))
  }
  return {
    write(text) {
      if (dim !== undefined) return void emit(text, dim)
      return loadDim(color).then((loaded) => {
        dim = loaded
        emit(text, loaded)
      })
    },
    end() {
      if (last !== '') process.stderr.write(last.endsWith('\n') ? '\n' : '\n\n')
      last = ''
    },
  }
}
