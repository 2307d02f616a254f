/**
 * A chat in 30 lines: `node examples/chat.mjs [org/name or a folder]`. The conversation keeps its keys and values, so that each turn
 * computes only what is new. Ctrl-C ends an answer, Ctrl-D the chat.
 */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { makeRequest, openEngine } from 'spout'

const engine = await openEngine({ model: process.argv[2] })
const conversation = engine.openConversation()
const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: '> ' })
const history = []
let answering
lines.on('SIGINT', () => (answering ? answering.abort() : lines.close()))

lines.prompt()
for await (const prompt of lines) {
  if (prompt.trim() !== '') await answer(prompt)
  lines.prompt()
}
conversation.dispose()
await engine.dispose()

async function answer(prompt) {
  answering = new AbortController()
  let text = ''
  const write = (piece) => {
    text += piece
    process.stdout.write(piece)
  }
  const sink = { token: (_id, piece) => write(piece), lastPiece: write }
  const request = makeRequest({ prompt, history, maxTokens: 64 })
  await conversation.generate(request, { sink, signal: answering.signal })
  process.stdout.write('\n')
  history.push({ role: 'user', content: prompt }, { role: 'assistant', content: text })
  answering = undefined
}
