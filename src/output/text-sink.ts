import type { TokenSink } from '../generation/token-sink.ts'
import { showControls } from './show-controls.ts'
import type { Stdout } from './stdout.ts'

export interface TextSink extends TokenSink {
  /** Ends the text with exactly one newline if it has text and no newline at its end. */
  finish(newline: boolean): Promise<void>
}

/** Pieces straight to stdout; on a terminal with control characters shown. */
export function createTextSink(stdout: Stdout, options: { terminal: boolean }): TextSink {
  let last = ''
  const write = (text: string): Promise<void> | undefined => {
    if (text === '') return undefined
    last = text
    return stdout.write(options.terminal ? showControls(text) : text)
  }
  return {
    token: (_id, text) => write(text),
    rest: write,
    async finish(newline) {
      if (newline && last !== '' && !last.endsWith('\n')) await stdout.write('\n')
      await stdout.flush()
    },
  }
}
