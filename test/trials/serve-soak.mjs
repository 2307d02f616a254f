/**
 * A server at full load, for a while: memory, descriptors and threads stay flat, and no answer is lost.
 *
 *   npm run build && node test/trials/serve-soak.mjs [SECONDS] [CLIENTS]        600 and 16 unless told otherwise
 *
 * Each client asks again and again: documents and streams, several answers, schemas, long prompts, answers that it leaves. Says a
 * line every ten seconds, and at the end what has grown since the first minute (or the first tenth, of a shorter run).
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const [seconds = 600, clients = 16] = process.argv.slice(2).map(Number)
const SPOUT = new URL('../../bin/spout.js', import.meta.url).pathname
const EVERY_MS = 10_000
/** Growth that is no leak: heaps breathe. */
const MOST_GROWTH = 1.25

const server = spawn(process.execPath, [SPOUT, 'serve', '--port', '0', '--offline', '--no-prepare'], {
  stdio: ['ignore', 'ignore', 'pipe'],
})
const url = await new Promise((resolve, reject) => {
  let said = ''
  server.stderr.on('data', (chunk) => {
    said += chunk
    const [, found] = / at (http:\S+)\n/.exec(said) ?? []
    if (found !== undefined) resolve(found)
  })
  server.on('exit', () => reject(new Error(`the server ended: ${said}`)))
})

const schema = { type: 'object', properties: { a: { type: 'string', maxLength: 20 } }, required: ['a'] }
const KINDS = [
  { max_tokens: 60 },
  { max_tokens: 60, stream: true },
  { max_tokens: 30, n: 4 },
  { max_tokens: 80, response_format: { type: 'json_schema', json_schema: { name: 'a', schema } } },
  { max_tokens: 200, stream: true, leave: true },
  { max_tokens: 20, long: true },
]
const counts = { answered: 0, left: 0, failed: 0 }

async function client(place, until) {
  for (let turn = place; performance.now() < until; turn++) {
    const { leave = false, long = false, ...more } = KINDS[turn % KINDS.length]
    const content = `${long ? 'The guns were silent. '.repeat(40) : ''}Chapter ${turn} of ${place}`
    const body = JSON.stringify({ messages: [{ role: 'user', content }], seed: turn, ...more })
    try {
      const response = await fetch(`${url}/chat/completions`, { method: 'POST', body })
      if (leave) {
        const reader = response.body.getReader()
        await reader.read()
        await reader.cancel()
        counts.left++
        continue
      }
      const text = await response.text()
      const isWhole = more.stream ? text.endsWith('data: [DONE]\n\n') : response.ok
      counts[isWhole ? 'answered' : 'failed']++
    } catch {
      counts.failed++
    }
  }
}

/** What the process holds. */
function held() {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8')
  return {
    memory: Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]) / 1024,
    descriptors: readdirSync(`/proc/${server.pid}/fd`).length,
    threads: Number(/^Threads:\s+(\d+)/m.exec(status)[1]),
  }
}

const startedAt = performance.now()
const until = startedAt + 1000 * seconds
const working = Promise.all(Array.from({ length: clients }, (_, place) => client(place, until)))
const samples = []
while (performance.now() < until) {
  await sleep(Math.min(EVERY_MS, 100 * seconds))
  samples.push(held())
  const { memory, descriptors, threads } = samples.at(-1)
  const after = ((performance.now() - startedAt) / 1000).toFixed(0)
  console.log(
    `${after} s: ${memory.toFixed(0)} MB, ${descriptors} descriptors, ${threads} threads, ${JSON.stringify(counts)}`,
  )
}
await working
const metrics = await (await fetch(url.replace('/v1', '/metrics'))).text()
const metric = (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)[1])
server.kill('SIGTERM')

const early = samples[Math.min(samples.length - 1, Math.ceil(samples.length / 10))]
const late = samples.at(-1)
const wrong = [
  ...Object.keys(early).filter((name) => late[name] > MOST_GROWTH * early[name]),
  ...(counts.failed > 0 ? ['failed answers'] : []),
  ...(metric('spout_texts_open') > 0 ? ['texts that nobody waits for'] : []),
]
const rate = metric('spout_completion_tokens_total') / seconds
console.log(`${rate.toFixed(0)} tokens/s; from ${JSON.stringify(early)} to ${JSON.stringify(late)}`)
console.log(wrong.length === 0 ? 'flat' : `not flat: ${wrong.join(', ')}`)
process.exitCode = wrong.length === 0 ? 0 : 1
