/** A table of command lines: what goes in, and the exact answer, messages and exit code that come out. */
import { expect, test } from 'vitest'
import { runHere } from './run-here.ts'
import type { RunOptions, RunResult } from './run-spout.ts'

export interface Row extends RunOptions {
  /** What is proved: names of lines of docs/contract.md. */
  readonly proves: readonly string[]
  readonly what: string
  readonly argv?: readonly string[]
  /** Default: nothing. */
  readonly stdout?: string | RegExp
  /** Default: nothing at all. */
  readonly stderr?: RegExp
  /** Default: 0. */
  readonly code?: number
  readonly check?: (result: RunResult) => void | Promise<void>
}

/** One test per row, several at a time. */
export function testRows(rows: readonly Row[]): void {
  for (const row of rows) {
    test.concurrent(`[${row.proves.join(' ')}] ${row.what}`, async () => {
      const result = await runHere(row.argv ?? [], row)
      const { stdout = '', stderr = /^$/, code = 0 } = row
      // One comparison, so that a failure shows all that was said.
      expect({
        stderr: result.stderr,
        stdout: result.stdout,
        code: result.code,
        signal: result.signal,
      }).toEqual({
        stderr: expect.stringMatching(stderr),
        stdout: typeof stdout === 'string' ? stdout : expect.stringMatching(stdout),
        code,
        signal: null,
      })
      await row.check?.(result)
    })
  }
}

/** An error as the program prints it. */
export function errorLines(message: string, hint?: string): RegExp {
  const hintLine = hint === undefined ? '(spout: hint: [^\\n]+\\n)?' : `spout: hint: ${literal(hint)}\\n`
  return new RegExp(`^spout: error: ${literal(message)}\\n${hintLine}$`)
}

/** A text as a pattern that matches it. */
export function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
