/** One run of a command in a fresh process: when its first byte arrived, when it had ended, and how large it became. */
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PEAK_HOOK = fileURLToPath(new URL('peak-memory.cjs', import.meta.url))
const LIMIT_MS = 120_000

/**
 * Milliseconds from the moment before the start to the first byte on stdout (`undefined` when there was none) and to the end
 * of the process and of its output, and that output. Fails when it ends with another code than 0.
 */
export async function timedRun({ name, args, env }) {
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    timeout: LIMIT_MS,
  })
  let firstAt
  let complaint = ''
  let text = ''
  child.stdout.on('data', (bytes) => {
    firstAt ??= performance.now()
    text += bytes
  })
  child.stderr.on('data', (text) => {
    complaint += text
  })
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) => resolve(signal ?? status))
  })
  const endedAt = performance.now()
  if (code !== 0) throw new Error(`${name}: ended with ${code}: ${complaint.trim().slice(-400)}`)
  return { first: firstAt === undefined ? undefined : firstAt - startedAt, whole: endedAt - startedAt, text }
}

/** Peak of resident memory, in bytes. In a run of its own, for the hook that asks costs time. */
export async function peakMemory(arm, file) {
  const args = ['--require', PEAK_HOOK, ...arm.args]
  try {
    await timedRun({ ...arm, args, env: { ...arm.env, PEAK_MEMORY_FILE: file } })
    return Number(readFileSync(file, 'utf8'))
  } finally {
    rmSync(file, { force: true })
  }
}
