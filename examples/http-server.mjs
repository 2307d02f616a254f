/**
 * Answers over HTTP, as they are decoded: `node examples/http-server.mjs [port]`, then
 *
 *     curl -N --data 'Once upon a time' http://127.0.0.1:8080
 *
 * A reader who is slow is waited for, and one who hangs up ends the computing. Requests that come at once take turns.
 */
import { createServer } from 'node:http'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { openEngine, SpoutError, stream } from 'spout'

const engine = await openEngine()

const server = createServer(async (request, response) => {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  try {
    const prompt = await text(request)
    const pieces = stream(prompt, { engine, maxTokens: 64, signal: gone.signal })
    // The first piece is waited for, so that what is wrong with the request can still be its status.
    const first = await pieces.next()
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' })
    response.write(first.done ? '' : first.value)
    await pipeline(pieces, response)
  } catch (error) {
    if (gone.signal.aborted || response.headersSent) return response.destroy()
    const isTheirs = error instanceof SpoutError && ['data', 'usage'].includes(error.code)
    response.writeHead(isTheirs ? 400 : 500).end(`${error.message}\n`)
  }
})

// 127.0.0.1: whoever may ask can make this machine compute.
server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`)
})
process.once('SIGTERM', () => {
  server.close(() => engine.dispose())
  server.closeAllConnections()
})
