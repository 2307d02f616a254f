/** Where messages come from: a terminal (typed-messages.ts), or a pipe. */
import { SpoutError } from '../../errors.ts'
import { decodeText, MAX_INPUT_BYTES } from '../prompt-source.ts'
import { MessageLines } from './message-lines.ts'

export interface MessageSource {
  /** The next message; `undefined` at the end. Nothing is read while nobody asks. */
  next(): Promise<string | undefined>
  close(): void
}

/** Every line of `input` through the same rules as typed ones. Its bytes must be UTF-8. */
export function readMessages(input: AsyncIterable<Uint8Array>): MessageSource {
  const lines = linesOf(input)
  const assembled = new MessageLines()
  return {
    async next() {
      for (;;) {
        const { done, value } = await lines.next()
        if (done) return assembled.isOpen ? assembled.end() : undefined
        const message = assembled.push(value)
        if (message !== undefined) return message
      }
    },
    close: () => void lines.return(undefined),
  }
}

async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  let pieces: Uint8Array[] = []
  let size = 0
  /** Of the line in the input. */
  let offset = 0
  const take = (): string => {
    const bytes = Buffer.concat(pieces)
    const line = decodeText(bytes, 'stdin', offset)
    offset += bytes.length
    pieces = []
    size = 0
    return line
  }
  for await (const chunk of input) {
    for (let from = 0; from < chunk.length; ) {
      const newline = chunk.indexOf(10, from)
      const end = newline < 0 ? chunk.length : newline + 1
      pieces.push(chunk.subarray(from, end))
      size += end - from
      from = end
      if (size > MAX_INPUT_BYTES) throw tooLong()
      if (newline >= 0) yield take()
    }
  }
  if (size > 0) yield take()
}

function tooLong(): SpoutError {
  return new SpoutError('data', `stdin: a line is longer than ${MAX_INPUT_BYTES >> 20} MiB`, {
    hint: 'head -c 1M',
  })
}
