import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BeforeArm, withEachToken } from './before-arm.ts'

/** Every line is one write to a file in the temporary folder, which is removed at the end: a logger that does not buffer. */
export const logLines: BeforeArm = {
  name: 'log-lines',
  standsFor: 'an info-level log line per token, formatted and written to a file in the temporary folder',
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'spout-bench-'))
    const file = openSync(join(folder, 'log'), 'a')
    return {
      alter(parts) {
        const startedAt = performance.now()
        let position = 0
        const log = (id: number, text: string): void => {
          writeSync(file, logLine({ position: position++, id, text, ms: performance.now() - startedAt }))
        }
        return { ...parts, sink: withEachToken(parts.sink, log) }
      },
      close() {
        closeSync(file)
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
}

interface LogFields {
  readonly position: number
  readonly id: number
  readonly text: string
  readonly ms: number
}

function logLine({ position, id, text, ms }: LogFields): string {
  const fields = `position=${position} id=${id} text=${JSON.stringify(text)} elapsed_ms=${ms.toFixed(3)}`
  return `${new Date().toISOString()} INFO spout::generate token ${fields}\n`
}
