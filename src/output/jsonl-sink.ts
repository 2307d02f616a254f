/** `--jsonl`: an event per line, as it happens. The texts of all events, joined, are the text of the last. */
import { jsonDocument } from './json-document.ts'
import type { FinishingSink, JsonSinkOptions } from './json-sink.ts'

export function createJsonlSink({ stdout, engine, logprobs }: JsonSinkOptions): FinishingSink {
  const pieces: string[] = []
  const { id: model, revision, dtype } = engine.model
  const write = (event: object): Promise<void> | undefined => stdout.write(`${JSON.stringify(event)}\n`)
  let started = write({ event: 'start', model, revision: revision ?? null, dtype })
  const after = (next: Promise<void> | undefined): Promise<void> | undefined => {
    const waiting = started
    started = undefined
    return waiting === undefined ? next : waiting.then(() => next)
  }
  return {
    sink: {
      token(id, text, chosen) {
        pieces.push(text)
        const scores = logprobs && chosen !== undefined ? chosen : {}
        return after(write({ event: 'token', id, text, ...scores }))
      },
      rest(text) {
        pieces.push(text)
        return after(write({ event: 'token', id: null, text }))
      },
    },
    async finish(result, measured) {
      const text = pieces.join('')
      await after(write({ event: 'end', ...jsonDocument({ engine, result, text, measured }) }))
      await stdout.flush()
    },
    fail: () => stdout.flush(),
  }
}
