/**
 * An output that gets an answer as a whole or not at all: half a document would be taken for one. Of documents line by line,
 * each line as a whole.
 */
import type { Output } from './stdout.ts'

export interface HeldOutput extends Output {
  /** The answer is whole: it leaves. */
  commit(): Promise<void>
}

export function holdOutput(output: Output, byLine: boolean): HeldOutput {
  let held = ''
  return {
    write(text) {
      held += text
      const end = byLine ? held.lastIndexOf('\n') + 1 : 0
      if (end === 0) return undefined
      const lines = held.slice(0, end)
      held = held.slice(end)
      return output.write(lines)
    },
    flush: () => output.flush(),
    async commit() {
      const text = held
      held = ''
      if (text !== '') await output.write(text)
      await output.flush()
    },
  }
}
