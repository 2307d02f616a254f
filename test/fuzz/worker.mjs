/** A child process that runs cases one by one, watched from outside. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** How often time and memory are looked at. */
const LOOK_MS = 100
/** Linux counts processor time in hundredths of a second. */
const TICK_MS = 10
/** Who waits for ever uses no processor: so many times as long by the clock. */
const BLOCKED = 8

export async function startWorker(path, seed) {
  const child = spawn(process.execPath, [path, seed], { stdio: ['pipe', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (bytes) => {
    stderr = (stderr + bytes).slice(-2000)
  })
  child.stdin.on('error', () => undefined)
  const lines = linesOf(child.stdout)
  const exited = new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  const worker = {
    isAlive: true,
    async run({ target, index }, { mostMs, mostBytes }) {
      const startedAt = performance.now()
      const startedCpu = processorMs(child.pid)
      let bytes = 0
      let broken
      let stage = ''
      const watch = setInterval(() => {
        bytes = Math.max(bytes, residentBytes(child.pid))
        // By processor time: on a busy machine a clock would find faults where there are none.
        const isBusy = processorMs(child.pid) - startedCpu > mostMs
        if (isBusy || performance.now() - startedAt > BLOCKED * mostMs) broken = 'hang'
        else if (bytes > mostBytes) broken = 'memory'
        if (broken !== undefined) child.kill('SIGKILL')
      }, LOOK_MS)
      child.stdin.write(`${target} ${index}\n`)
      try {
        for (;;) {
          const line = await Promise.race([lines.next(), exited])
          const ms = performance.now() - startedAt
          if (typeof line !== 'string') {
            worker.isAlive = false
            const how = line.signal ?? `exit ${line.code}`
            return { kind: broken ?? `died (${how})`, detail: `${stage} ${stderr.slice(-300)}`, ms, bytes }
          }
          const said = JSON.parse(line)
          bytes = Math.max(bytes, residentBytes(child.pid))
          if (said.stage === undefined) return { ...said, ms, bytes }
          stage = said.stage
        }
      } finally {
        clearInterval(watch)
      }
    },
    async end() {
      child.stdin.end()
      await exited
    },
  }
  return worker
}

function linesOf(stream) {
  const waiting = []
  const ready = []
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines.filter((each) => each.startsWith('{'))) {
      const resolve = waiting.shift()
      if (resolve === undefined) ready.push(line)
      else resolve(line)
    }
  })
  return {
    next: () =>
      ready.length > 0
        ? Promise.resolve(ready.shift())
        : new Promise((resolve) => {
            waiting.push(resolve)
          }),
  }
}

/** Of all threads. */
function processorMs(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    return TICK_MS * (Number(fields[11]) + Number(fields[12]))
  } catch {
    return 0
  }
}

function residentBytes(pid) {
  try {
    return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
